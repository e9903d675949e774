//! The installed rules, as udev itself applies them: to parts that umockdev plays, and to a gpio-sim chip.

use onepress_tests::install::Installed;
use onepress_tests::plug::Part;
use onepress_tests::uml::Uml;

const MODEM: Part = Part { vendor: "2c7c", product: "0125", serial: None, ports: 4 };
const RECEIVER: Part = Part { vendor: "1546", product: "01a8", serial: None, ports: 1 };
const RELAY: Part = Part { vendor: "0403", product: "6001", serial: Some("onepress-relay0"), ports: 1 };
const STRANGER: Part = Part { vendor: "0403", product: "6001", serial: Some("A50285BI"), ports: 1 };

#[test]
fn udev_has_nothing_to_say_against_any_line() {
    assert_eq!(STRANGER.plug(&Installed::new()).complaints(), [""; 0]);
}

#[test]
fn each_port_of_a_modem_gets_the_name_of_its_use() {
    let installed = Installed::new();
    for (port, names) in [(0, &[][..]), (1, &["gnss0"]), (2, &["modem-at"]), (3, &["modem-ppp"])] {
        let verdict = MODEM.plug_port(&installed, port);
        assert_eq!(verdict.names(), names, "interface {port}");
        assert_eq!(verdict.property("ID_MM_DEVICE_IGNORE"), "1", "interface {port}");
    }
}

#[test]
fn an_adapter_is_named_by_the_number_written_into_it() {
    let installed = Installed::new();
    for (role, serial) in [
        ("buttons0", "onepress-buttons0"),
        ("buttons1", "onepress-buttons1"),
        ("relay0", "onepress-relay0"),
        ("relay1", "onepress-relay1"),
        ("tower0", "onepress-tower0"),
        ("ups0", "onepress-ups0"),
        ("gnss0", "onepress-gnss0"),
    ] {
        let adapter = Part { serial: Some(serial), ..RELAY };
        assert_eq!(adapter.plug_port(&installed, 0).names(), [role]);
    }
    assert_eq!(RECEIVER.plug_port(&installed, 0).names(), ["gnss0"]);
}

#[test]
fn a_part_of_ours_belongs_to_the_serial_group_and_systemd_may_wait_for_it() {
    let verdict = RELAY.plug_port(&Installed::new(), 0);
    assert!(verdict.did("MODE 0660") && verdict.did("GROUP "));
    assert!(verdict.property("TAGS").contains(":systemd:"));
    assert_eq!(verdict.property("ID_MM_DEVICE_IGNORE"), "1");
}

#[test]
fn a_part_of_ours_never_sleeps() {
    let installed = Installed::new();
    for part in [MODEM, RECEIVER, RELAY] {
        let verdict = part.plug(&installed);
        assert!(verdict.did("power/control' writing 'on'"), "{}:{}", part.vendor, part.product);
        assert_eq!(verdict.property("ID_MM_DEVICE_IGNORE"), "1");
    }
}

#[test]
fn a_stranger_is_left_alone() {
    let installed = Installed::new();
    let second_port = Part { ports: 2, ..RELAY };
    for verdict in
        [STRANGER.plug(&installed), STRANGER.plug_port(&installed, 0), second_port.plug_port(&installed, 1)]
    {
        assert_eq!(verdict.names(), [""; 0]);
        assert_eq!(verdict.property("ID_MM_DEVICE_IGNORE"), "");
        assert!(!verdict.did("MODE") && !verdict.did("GROUP") && !verdict.did("writing"));
    }
}

#[test]
fn a_gpio_chip_is_given_to_the_gpio_group_by_a_running_udev() {
    let installed = Installed::new();
    let said = Uml::script(
        "
        mkdir root && cp -r $ROOT/usr $ROOT/etc root && cp /etc/passwd /etc/group root/etc
        systemd-sysusers --root=$PWD/root
        mount --bind root/etc/group /etc/group
        mkdir -p /run/udev && cp -r $ROOT/usr/lib/udev/rules.d /run/udev
        chip box BTN1_NO SIREN
        stat -c 'before: %G %a' /dev/gpiochip0
        /lib/systemd/systemd-udevd --daemon
        udevadm trigger --action=add --subsystem-match=gpio
        udevadm settle --timeout=20
        stat -c 'after: %G %a' /dev/gpiochip0
        ",
    )
    .path("ROOT", &installed.root())
    .run()
    .success();
    assert!(said.contains("before: root 600") && said.contains("after: onepress-gpio 660"), "{said}");
}

//! What holds for the sources of the appliance image, and needs none that was built.

use onepress_tests::install::workspace;

#[test]
fn each_package_that_is_asked_for_is_explained() {
    let readme = std::fs::read_to_string(workspace().join("image/README.md")).expect("the README");
    let explained: String = readme.lines().filter(|line| line.starts_with("| ")).collect();
    for file in [
        "mkosi.conf",
        "mkosi.conf.d/x86-64.conf",
        "mkosi.conf.d/arm64.conf",
        "mkosi.profiles/rack/mkosi.conf",
        "mkosi.profiles/edge.conf",
        "mkosi.profiles/edge-x86/mkosi.conf",
        "mkosi.profiles/edge-arm64/mkosi.conf",
    ] {
        let text = std::fs::read_to_string(workspace().join("image").join(file)).expect(file);
        let lines = text.lines().skip_while(|line| !line.contains("Packages="));
        let listed = lines.take_while(|line| line.contains("Packages=") || line.starts_with(' '));
        let names = listed.flat_map(|line| line.trim().split('=').next_back());
        for name in names.filter(|name| !name.is_empty()) {
            let known = if name.starts_with("libtss2-") { "libtss2-*" } else { name };
            assert!(
                explained.contains(known),
                "{file}: image/README.md does not say why {name} is in the image"
            );
        }
    }
}

#[test]
fn each_profile_has_the_files_of_its_role() {
    let profiles = std::fs::read_dir(workspace().join("image/mkosi.profiles")).expect("profiles");
    let names = profiles.map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned());
    let profiles: Vec<_> = names.filter(|name| !name.contains('.')).collect();
    assert_eq!(profiles.len(), 3, "{profiles:?}");
    for profile in profiles {
        let role = profile.split('-').next().unwrap_or_default();
        let folder = format!("{role}.extra");
        let conf = workspace().join("image/mkosi.profiles").join(&profile).join("mkosi.conf");
        let mut conf = std::fs::read_to_string(conf).expect("its definition");
        if conf.contains(&format!("Include=../{role}.conf\n")) {
            let common = workspace().join(format!("image/mkosi.profiles/{role}.conf"));
            conf = std::fs::read_to_string(common).expect("what its role's profiles share");
        }
        assert!(conf.contains(&format!("ExtraTrees=../{folder}\n")), "{profile}");
        let preset = format!("image/mkosi.profiles/{folder}/usr/lib/systemd/system-preset/40-{role}.preset");
        let preset = std::fs::read_to_string(workspace().join(&preset)).expect("its preset");
        assert!(preset.contains(&format!("enable onepress-{role}.target")), "{preset}");
    }
}

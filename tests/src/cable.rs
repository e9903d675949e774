//! A network of its own behind a cable that can be pulled, or be thin: a pair of virtual interfaces between this
//! thread's network and a new one. Needs root.
//!
//! Consoles and relays in the clear are on loopback only; [`carry`] brings loopback of one network to the other.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::install::output;
use crate::keeper::Keeper;

/// Longer than a datagram can be.
const DATAGRAM: usize = 65_536;
/// The cable's kernel queue, in milliseconds, while it is thin.
const QUEUE_MS: u32 = 200;

/// A cable from here to a network of its own. Number `n` is 10.111.`n`.0/24: here `.1`, at the far end `.2`.
pub struct Cable {
    far: Keeper,
    name: &'static str,
    n: u8,
}

impl Cable {
    /// Lays one; both interfaces have this name.
    ///
    /// # Panics
    /// If the machine does not let us: it takes root.
    #[must_use]
    pub fn lay(n: u8, name: &'static str) -> Self {
        let far = Keeper::start(&["--net"], "ip link set lo up");
        let cable = Self { far, name, n };
        ip(&format!("link add {name} type veth peer name {name} netns {}", cable.far.id()));
        ip(&format!("addr add {}/24 dev {name}", cable.near()));
        ip(&format!("link set {name} up"));
        cable.at_far("ip", &format!("addr add {}/24 dev {name}", cable.there()));
        cable.at_far("ip", &format!("link set {name} up"));
        cable
    }

    /// The address of this end.
    #[must_use]
    pub fn near(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 111, self.n, 1)
    }

    /// The address of the far end.
    #[must_use]
    pub fn there(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 111, self.n, 2)
    }

    /// The interface at either end.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The network at the far end.
    #[must_use]
    pub fn far(&self) -> &Keeper {
        &self.far
    }

    /// What a program at the far end is started through.
    #[must_use]
    pub fn through(&self) -> [String; 3] {
        ["nsenter".into(), format!("--net={}", self.far.space("net").display()), "--".into()]
    }

    /// Both ends lose their carrier.
    pub fn pull(&self) {
        ip(&format!("link set {} down", self.name));
    }

    /// It is back.
    pub fn plug(&self) {
        ip(&format!("link set {} up", self.name));
    }

    /// From the far end to here, no more than this passes.
    pub fn thin(&self, kbit: u32) {
        let order =
            format!("qdisc add dev {} root tbf rate {kbit}kbit burst 16k latency {QUEUE_MS}ms", self.name);
        self.at_far("tc", &order);
    }

    fn at_far(&self, program: &str, order: &str) {
        let [nsenter, space, dashes] = self.through();
        run(&nsenter, &format!("{space} {dashes} {program} {order}"));
    }
}

/// `ip` of iproute2.
///
/// # Panics
/// With what it said, if it fails.
pub fn ip(order: &str) {
    run("ip", order);
}

/// A program with its words.
///
/// # Panics
/// With what it said, if it fails.
pub fn run(program: &str, order: &str) {
    let (good, said) = output(Command::new(program).args(order.split(' ')));
    assert!(good, "{program} {order}: {said}");
}

/// Everything that comes to `listen`, over TCP and UDP, goes to `to`, and back. Both are in the network of the calling
/// thread, or `listen` is in `far`'s. Lasts as long as this process.
///
/// # Panics
/// If `listen` is taken.
pub fn carry(far: Option<&Keeper>, listen: SocketAddr, to: SocketAddr) {
    let far = far.map(|keeper| keeper.space("net"));
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if let Some(space) = far {
            crate::keeper::enter_network(&space);
        }
        let udp = UdpSocket::bind(listen).expect("free");
        let tcp = TcpListener::bind(listen).expect("free");
        ready.send(()).expect("somebody waits");
        std::thread::spawn(move || carry_udp(&Arc::new(udp), to));
        for stream in tcp.incoming().flatten() {
            std::thread::spawn(move || drop(carry_tcp(&stream, to)));
        }
    });
    is_ready.recv().expect("the carrier listens");
}

fn carry_udp(socket: &Arc<UdpSocket>, to: SocketAddr) {
    let mut ways: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut datagram = [0; DATAGRAM];
    loop {
        let Some((length, from)) = received(socket.recv_from(&mut datagram)) else { continue };
        let way = ways.entry(from).or_insert_with(|| {
            // Not connected: while a cable is pulled there is no way to anywhere.
            let way = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port"));
            let (back, socket) = (Arc::clone(&way), Arc::clone(socket));
            std::thread::spawn(move || {
                let mut datagram = [0; DATAGRAM];
                loop {
                    if let Some((length, _)) = received(back.recv_from(&mut datagram)) {
                        let _ = socket.send_to(&datagram[..length], from);
                    }
                }
            });
            way
        });
        // Datagrams may be lost.
        let _ = way.send_to(&datagram[..length], to);
    }
}

/// What an earlier datagram met comes as an error of the next call.
fn received<T>(outcome: std::io::Result<T>) -> Option<T> {
    if outcome.as_ref().is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
        onepress::rig::pause(Duration::from_millis(5));
    }
    outcome.ok()
}

fn carry_tcp(near: &TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let far = TcpStream::connect(to)?;
    let (there, back) = ((near.try_clone()?, far.try_clone()?), (far, near.try_clone()?));
    std::thread::spawn(move || pump(there.0, there.1));
    pump(back.0, back.1);
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; DATAGRAM];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

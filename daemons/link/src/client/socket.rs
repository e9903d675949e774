//! The UDP socket of one path.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What a path's socket is held to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind {
    /// Network interface (SO_BINDTODEVICE, socket(7)): packets leave and arrive there only, whatever the routes
    /// say.
    pub interface: Option<String>,
    /// Source address. It also decides the family.
    pub source: Option<IpAddr>,
}

/// Opens a socket on a free port: IPv6 and IPv4 at once unless the source address says otherwise or the machine
/// has no IPv6.
pub(super) fn open(bind: &Bind) -> io::Result<UdpSocket> {
    match bind.source {
        Some(source) => bound(bind, source),
        None => {
            bound(bind, Ipv6Addr::UNSPECIFIED.into()).or_else(|_| bound(bind, Ipv4Addr::UNSPECIFIED.into()))
        }
    }
}

fn bound(bind: &Bind, source: IpAddr) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(source, 0);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!source.is_unspecified())?;
    }
    if let Some(interface) = &bind.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_address_is_kept() {
        let bind = Bind { source: Some(Ipv4Addr::new(127, 0, 0, 2).into()), ..Bind::default() };
        assert_eq!(open(&bind).unwrap().local_addr().unwrap().ip().to_string(), "127.0.0.2");
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        let bind = Bind { interface: Some("none0".into()), ..Bind::default() };
        assert!(open(&bind).is_err());
    }

    #[test]
    fn a_socket_held_to_an_interface_reaches_it() {
        let bind = Bind { interface: Some("lo".into()), source: Some(Ipv4Addr::LOCALHOST.into()) };
        let socket = open(&bind).unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(socket.send_to(b"x", to.local_addr().unwrap()).unwrap(), 1);
    }
}

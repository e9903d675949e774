//! `desk.toml`: taken, or refused with key, reason and remedy.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The desk's crate brings a database and a web server, which would take longer to build than all else here.
#[expect(dead_code, reason = "what is checked here is a part of it")]
#[path = "../../daemons/desk/src/config.rs"]
mod config;

fuzz_target!(|text: &str| {
    if let Some(config) = onepress_fuzz::configure::<config::Config>(text) {
        assert!((1..=4).contains(&config.link_addresses.len()));
        assert!(!config.plain_http || config.console_listen.ip().to_canonical().is_loopback());
    }
});

//! `wall.toml`: taken, or refused with key, reason and remedy. Seeds name board files from the folder above.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| drop(onepress_fuzz::configure::<wall::Raw>(text)));

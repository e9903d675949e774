//! `button.toml`: taken, or refused with key, reason and remedy. Seeds name board files from the folder above.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(config) = onepress_fuzz::configure::<button::config::Raw>(text) {
        assert!(!config.paths.is_empty() && !config.points.is_empty());
    }
});

//! Board files: taken, or refused with file, key, reason and remedy.

#![no_main]

use hw::Board;
use libfuzzer_sys::fuzz_target;
use onepress_fuzz::readable;

fuzz_target!(|text: &str| match Board::parse("board.toml", text) {
    Ok(board) => {
        for output in board.outputs() {
            assert!(board.device_of(output).is_some(), "{output}");
        }
        let inputs: Vec<_> = board.inputs().collect();
        let devices = board.inputs_by_device(&inputs).expect("its own inputs");
        assert_eq!(devices.iter().map(|(_, lines)| lines.len()).sum::<usize>(), inputs.len());
    }
    Err(error) => readable([&error.key, &error.reason, &error.remedy], text),
});

//! `make bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    unit::exit_code(onepress_tests::bench::run(&arguments))
}

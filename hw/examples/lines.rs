//! Shows the lines of a board: for the technician at the wall, and for tests in a real kernel.
//!
//! ```text
//! lines BOARD INPUT,INPUT,... OUTPUT,OUTPUT,...      (`-` for none)
//! ```
//!
//! Prints levels, then edges as they come. Takes orders on standard input: `red on`, `red off`, `supervise`, `read`.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use hw::{Board, Inputs, OpenError, Outputs, Reading};

/// EX_CONFIG of sysexits.h.
const WRONG_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [board, inputs, outputs] = &arguments[..] else {
        println!("usage: lines BOARD INPUT,INPUT,... OUTPUT,OUTPUT,...");
        return ExitCode::from(WRONG_CONFIG);
    };
    match show(board, &names(inputs), &names(outputs)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(OpenError::Config(error)) => {
            println!("{error}");
            ExitCode::from(WRONG_CONFIG)
        }
        Err(OpenError::Device(error)) => {
            println!("{:?}: {error}", error.severity());
            ExitCode::FAILURE
        }
    }
}

fn names(list: &str) -> Vec<&str> {
    list.split(',').filter(|name| *name != "-").collect()
}

fn show(board: &str, inputs: &[&str], outputs: &[&str]) -> Result<(), OpenError> {
    let board = Board::load(board)?;
    let mut outputs = board.open_outputs("lines", outputs)?;
    for bank in board.open_inputs("lines", inputs)? {
        watch(bank)?;
    }
    println!("ready");
    for order in std::io::stdin().lock().lines().map_while(Result::ok) {
        obey(&mut outputs, &order)?;
    }
    Ok(())
}

fn watch(mut bank: Box<dyn Inputs>) -> Result<(), OpenError> {
    let readings = bank.read()?;
    print(bank.device(), &readings);
    std::thread::spawn(move || {
        loop {
            match bank.wait(Duration::from_secs(1)) {
                Ok(edges) => edges.iter().for_each(print_edge),
                Err(error) => {
                    println!("{:?}: {error}", error.severity());
                    std::thread::park_timeout(Duration::from_secs(1));
                }
            }
        }
    });
    Ok(())
}

fn print_edge(edge: &hw::Edge) {
    let age = edge.at.elapsed().as_millis();
    let missed = if edge.missed { " missed" } else { "" };
    println!("edge {} {}{missed}, {age} ms ago", edge.line, on_off(edge.active));
}

fn print(device: &str, readings: &[Reading]) {
    for reading in readings {
        println!("{device} {} {}", reading.line, on_off(reading.active));
    }
}

fn obey(outputs: &mut [Box<dyn Outputs>], order: &str) -> Result<(), OpenError> {
    for bank in outputs {
        match order.split_once(' ') {
            Some((line, level)) if bank.lines().iter().any(|known| *known == line) => {
                bank.set(line, level == "on")?;
                println!("{line} is {level}");
            }
            None if order == "supervise" => println!("{:?}", bank.supervise()?),
            None if order == "read" => {
                let readings = bank.read_back()?;
                print(bank.device(), &readings);
            }
            Some(_) | None => println!("not understood: {order}"),
        }
    }
    Ok(())
}

fn on_off(active: bool) -> &'static str {
    if active { "on" } else { "off" }
}

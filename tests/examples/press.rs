//! The smallest program that a press goes through: waits for a rising edge of one line, then drives another.
//! `press INPUT OUTPUT`; tests/tests/gpio_sim.rs runs it in user-mode Linux.

use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, Value};

/// Far more than it takes: the script pulls the line as soon as it has read "ready".
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = &names[..] else { panic!("usage: press INPUT OUTPUT") };
    let button = request(input, |request| request.as_input().with_edge_detection(EdgeDetection::RisingEdge));
    let siren = request(output, |request| request.as_output(Value::Inactive));
    say(&format!("ready, {input} {:?}", button.lone_value().expect("read")));
    assert!(button.wait_edge_event(PATIENCE).expect("waited"), "no edge");
    let edge = button.read_edge_event().expect("an edge");
    siren.set_lone_value(Value::Active).expect("driven");
    say(&format!("{:?} edge {} of {input}, {output} driven", edge.kind, edge.line_seqno));
    // The line falls back when its request ends: it stays while the script looks at it.
    let mut until = String::new();
    std::io::stdin().read_line(&mut until).expect("told to end");
}

fn request(
    line: &str,
    direction: impl FnOnce(&mut gpiocdev::request::Builder) -> &mut gpiocdev::request::Builder,
) -> Request {
    let found = gpiocdev::find_named_line(line).unwrap_or_else(|| panic!("no line is named {line}"));
    let mut request = Request::builder();
    request.on_chip(&found.chip).with_consumer("press").with_line(found.info.offset);
    direction(&mut request).request().expect("requested")
}

fn say(text: &str) {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").expect("said");
}

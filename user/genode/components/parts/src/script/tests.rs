// SPDX-License-Identifier: MIT
//! Scripts as the specification writes them, and what is none.

use alloc::string::String;
use alloc::vec;

use super::*;

fn steps(text: &str) -> Vec<Step> {
    Script::read(format!("<config version=\"1\">{text}</config>").as_bytes()).expect(text).steps
}

fn unclear(text: &str) -> String {
    Script::read(format!("<config version=\"1\">\n{text}</config>").as_bytes()).expect_err(text).0
}

fn says(tone: Tone, text: &str) -> Step {
    Step::Say { tone, text: text.to_string() }
}

#[test]
fn a_script_of_the_specification_is_read() {
    let script = Script::read(
        b"<config version=\"1\"> <sleep ms=\"100\"/> <log string=\"one\"/> <tsc count=\"50\"/> <exit value=\"4\"/> </config>\0\0",
    );
    let steps = vec![
        Step::Sleep { ms: 100 },
        says(Tone::Log, "one"),
        Step::Tsc { count: 50 },
        Step::Exit { value: 4 },
    ];
    assert_eq!(script, Ok(Script { version: "1".to_string(), steps }));
    assert_eq!(Script::read(b"<config/>"), Ok(Script::default()));
}

#[test]
fn every_step_is_read() {
    let all = steps(
        "<log string='a &lt; b'/><warn string='w'/><error string='e'/><log/><sleep ms='0'/><exit/><exit value='-1'/><stop/>\
         <compute kind='fnv' n='1000'/><touch pages='4' rounds='0x10'/><tsc count='1'/>\
         <serve service='LOG' verbose='yes'/><serve service='Echo'/>\
         <open service='LOG' count='2' label='y -> z'/><open service='Echo'/><close/>\
         <consume ram='1M'/><consume caps='7'/><release/>\
         <fault kind='read' addr='0x1000'/><fault kind='write' addr='0'/><fault kind='exec' addr='8'/>\
         <port_in port='0x2f8'/><echo calls='100'/><yield_handler/><config_count/>",
    );
    let open = |service: &str, count, label: &str| Step::Open {
        service: service.to_string(),
        count,
        label: label.to_string(),
    };
    let expected = vec![
        says(Tone::Log, "a < b"),
        says(Tone::Warn, "w"),
        says(Tone::Error, "e"),
        says(Tone::Log, ""),
        Step::Sleep { ms: 0 },
        Step::Exit { value: 0 },
        Step::Exit { value: -1 },
        Step::Stop,
        Step::Compute { n: 1000 },
        Step::Touch { pages: 4, rounds: 16 },
        Step::Tsc { count: 1 },
        Step::Serve { service: Service::Log, verbose: true },
        Step::Serve { service: Service::Echo, verbose: false },
        open("LOG", 2, "y -> z"),
        open("Echo", 1, ""),
        Step::Close,
        Step::ConsumeRam { amount: Bytes(1 << 20) },
        Step::ConsumeCaps { amount: 7 },
        Step::Release,
        Step::Fault { kind: Fault::Read, address: 0x1000 },
        Step::Fault { kind: Fault::Write, address: 0 },
        Step::Fault { kind: Fault::Execute, address: 8 },
        Step::PortIn { port: 0x2f8 },
        Step::Echo { calls: 100 },
        Step::YieldHandler,
        Step::ConfigCount,
    ];
    assert_eq!(all, expected);
}

#[test]
fn what_is_no_step_is_said_with_its_line() {
    for (text, why) in [
        ("<log string=\"a\"/>\n<slep ms=\"1\"/>", "config: line 3: <slep> is no step"),
        ("<sleep/>", "config: line 2: <sleep> needs ms"),
        ("<sleep ms=\"soon\"/>", "config: line 2: <sleep> ms=\"soon\": expected a whole number"),
        ("<sleep ms=\"-1\"/>", "config: line 2: <sleep> ms=\"-1\": expected a whole number"),
        (
            "<exit value=\"4294967296\"/>",
            "config: line 2: <exit> value=\"4294967296\": expected a number of 32 bits",
        ),
        ("<compute kind=\"sha\" n=\"1\"/>", "config: line 2: <compute> kind=\"sha\": expected fnv"),
        ("<serve service=\"ROM\"/>", "config: line 2: <serve> service=\"ROM\": expected LOG or Echo"),
        (
            "<serve service=\"LOG\" verbose=\"so\"/>",
            "config: line 2: <serve> verbose=\"so\": expected yes or true or on or no or false or off",
        ),
        ("<consume/>", "config: line 2: <consume> needs either ram or caps"),
        ("<consume ram=\"1\" caps=\"1\"/>", "config: line 2: <consume> needs either ram or caps"),
        ("<consume ram=\"much\"/>", "config: line 2: <consume> ram=\"much\": expected an amount of memory"),
        ("<port_in port=\"65536\"/>", "config: line 2: <port_in> port=\"65536\": expected at most 65535"),
        ("<sleep ms=\"1\">", "config: malformed XML at line 2 column 15"),
    ] {
        assert_eq!(unclear(text), why);
    }
}

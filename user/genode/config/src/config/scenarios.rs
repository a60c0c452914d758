// SPDX-License-Identifier: MIT
//! Tests of the routes and labels of whole scenarios.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Config;
use crate::label;
use crate::route::{Destination, Server};
use crate::start::{Origin, Start};
use crate::xml::{Element, parse};

const ONE_CHILD: &str = include_str!("../../../scenarios/s1.xml");
const TIMER: &str = include_str!("../../../scenarios/s3.xml");
const SESSIONS: &str = include_str!("../../../scenarios/s4.xml");
const NESTED: &str = include_str!("../../../scenarios/s6.xml");

fn read(text: &str) -> (Config, Vec<String>) {
    let (config, said) = Config::read(text).unwrap();
    (config, said.iter().map(ToString::to_string).collect())
}

fn start<'a>(config: &'a Config, name: &str) -> &'a Start {
    config.starts.iter().find(|start| start.name == name).unwrap()
}

fn told(found: Option<Destination>) -> String {
    match found {
        None => "denied".to_string(),
        Some(Destination { server: Server::Parent, label }) => ["parent: ", &label].concat(),
        Some(Destination { server: Server::Child(name), label }) => [&name, ": ", &label].concat(),
    }
}

/// Where a session of a child goes; nothing may be said.
fn goes(config: &Config, child: &str, service: &str, label: &str) -> String {
    let start = start(config, child);
    let label = match start.origin(service, label) {
        Origin::Config => return "config".to_string(),
        Origin::Requests => return "requests".to_string(),
        Origin::Rules(label) => label,
    };
    let mut said = Vec::new();
    let found = config.route(start, service, &label, &mut said);
    assert_eq!(said, []);
    told(found)
}

#[test]
fn one_child_says_what_it_is_and_has_its_environment_from_the_parent() {
    let (config, said) = read(ONE_CHILD);
    assert_eq!(said, [""; 0]);
    assert!(config.verbose);
    assert_eq!(config.description()[..2], ["parent provides", "  service \"ROM\""]);
    assert_eq!(
        start(&config, "hello").description(),
        [
            "child \"hello\"",
            "  RAM quota:  1800K",
            "  cap quota:  66",
            "  ELF binary: hello",
            "  priority:   0"
        ]
    );
    for service in ["PD", "CPU", "LOG", "ROM"] {
        assert_eq!(goes(&config, "hello", service, "hello"), "parent: hello");
    }
    assert_eq!(goes(&config, "hello", "ROM", "hello -> config"), "config");
}

#[test]
fn clients_stand_before_their_server() {
    let (config, said) = read(TIMER);
    assert_eq!(said, ["Warning: odd: invalid priority, upgrading from -9 to -3"]);
    let levels: Vec<_> = config.starts.iter().map(|start| (start.name.as_str(), start.level)).collect();
    assert_eq!(levels, [("late", 2), ("early", 1), ("odd", 3), ("timer", 0)]);
    assert_eq!(goes(&config, "late", "Timer", "late -> "), "timer: late -> ");
    assert_eq!(goes(&config, "late", "ROM", "late"), "parent: actor");
    assert_eq!(goes(&config, "timer", "ROM", "timer"), "parent: timer");
}

#[test]
fn sessions_are_labelled_as_their_servers_see_them() {
    let (config, said) = read(SESSIONS);
    assert_eq!(said, [""; 0]);
    for (child, service, label, server) in [
        ("c1", "LOG", "c1", "logsrv: c1"),
        ("c1", "Echo", "c1 -> ", "echo: c1 -> "),
        ("c1", "PD", "c1", "parent: c1"),
        ("c2", "LOG", "c2", "parent: c2"),
        ("c3", "LOG", "c3", "parent: c3"),
        ("c3", "LOG", "c3 -> x", "logsrv: forced"),
        ("c3", "LOG", "c3 -> y -> z", "logsrv: who -> /d/what"),
        ("logsrv", "ROM", "logsrv -> session_requests", "requests"),
        ("logsrv", "ROM", "logsrv", "parent: actor"),
    ] {
        assert_eq!(goes(&config, child, service, label), server, "{child} {service} {label}");
    }
    assert_eq!(start(&config, "logsrv").announce("LOG"), Ok(()));
}

#[test]
fn an_init_within_forwards_sessions_by_their_labels() {
    let (outer, said) = read(NESTED);
    assert_eq!(said, [""; 0]);
    assert_eq!(goes(&outer, "vip", "LOG", "vip"), "sub: vip");
    assert_eq!(goes(&outer, "plain", "LOG", "plain"), "sub: plain");
    assert_eq!(goes(&outer, "sub", "LOG", "sub"), "parent: sub");

    let (inner, said) = read(start(&outer, "sub").config.as_deref().unwrap());
    assert_eq!(said, [""; 0]);
    assert_eq!(inner.offered().collect::<Vec<_>>(), ["LOG"]);
    let offer = |label| {
        let mut said = Vec::new();
        let found = inner.offer("LOG", label, &mut said);
        assert_eq!(said, []);
        told(found)
    };
    assert_eq!(offer("vip"), "inner_log: VIP");
    assert_eq!(offer("plain"), "inner_log: plain");

    // A session of the innermost child, on its way outwards.
    assert_eq!(goes(&inner, "sleeper", "LOG", "sleeper"), "parent: sleeper");
    assert_eq!(goes(&inner, "sleeper", "Timer", "sleeper -> "), "parent: sleeper -> ");
    let outwards = label::under("sub", "sleeper -> ");
    assert_eq!(goes(&outer, "sub", "Timer", &outwards), "timer: sub -> sleeper -> ");
    assert!(start(&inner, "sleeper").propagates && !start(&outer, "sub").propagates);
}

#[test]
fn a_configuration_within_stands_as_it_was_written() {
    let (outer, _) = read(NESTED);
    let text = start(&outer, "vip").config.as_deref().unwrap();
    let document = parse(text).unwrap();
    assert_eq!(Element::root(&document).attribute("text"), Some("hi"));
    assert!(NESTED.contains(text));
}

// SPDX-License-Identifier: MIT
//! Tests of what a `<start>` node says.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Common, Origin, Start};
use crate::bytes::Bytes;
use crate::priority::Levels;
use crate::quota::Quota;
use crate::xml::{Element, parse};

fn read(text: &str, space: Option<(u32, u32)>) -> (Start, Vec<String>) {
    let document = parse(text).unwrap();
    let quota = Quota { ram: Bytes(4 << 20), caps: 100 };
    let common = Common { quota, levels: Levels::new(4).0, space };
    let mut said = Vec::new();
    let start = Start::read("a", Element::root(&document), &common, &mut said);
    (start, said.iter().map(ToString::to_string).collect())
}

#[test]
fn a_child_is_described() {
    let (start, said) =
        read("<start ram=\"2M\"><provides><service name=\"Timer\"/></provides></start>", None);
    assert_eq!(said, [""; 0]);
    let lines = [
        "child \"a\"",
        "  RAM quota:  1800K",
        "  cap quota:  66",
        "  ELF binary: a",
        "  priority:   0",
        "  provides service Timer",
    ];
    assert_eq!(start.description(), lines);
}

#[test]
fn what_is_not_said_is_as_for_all() {
    let (start, _) = read("<start/>", None);
    assert_eq!(start.usable, Quota { ram: Bytes::kib(4096 - 248), caps: 66 });
    let (start, _) =
        read("<start ram=\"1M\" caps=\"200\"><resource name=\"RAM\" quantum=\"3M\"/></start>", None);
    assert_eq!(start.usable, Quota { ram: Bytes::kib(3072 - 248), caps: 166 });
}

#[test]
fn all_of_a_node_is_read() {
    let (start, said) = read(
        "<start priority=\"-2\" ld=\"no\" version=\"1\"><binary name=\"b\"/><config x=\"1\"> <y/> </config>
         <exit propagate=\"yes\"/><replay mode=\"off\"/><route/></start>",
        None,
    );
    assert_eq!(said, [""; 0]);
    assert_eq!((start.binary.as_str(), start.level, start.propagates), ("b", 2, true));
    assert_eq!(start.config.as_deref(), Some("<config x=\"1\"> <y/> </config>"));
    assert_eq!(start.replay.map(|replay| replay.mode), Some(0));
    assert!(start.route.is_some());
}

#[test]
fn what_is_wrong_is_said() {
    let text = "<start priority=\"-9\" ram=\"lots\"><binry/><binary/><heartbeat/><affinity/>
        <resource name=\"TIME\" quantum=\"1\"/></start>";
    let said = [
        "Warning: a: invalid value \"lots\" of attribute \"ram\" (line 1)",
        "Warning: a: invalid priority, upgrading from -9 to -3",
        "Warning: a: ignoring unknown element <binry> (line 1)",
        "Warning: a: <binary> without 'name' attribute is ignored (line 1)",
        "Warning: a: <heartbeat> is not supported (line 1)",
        "Warning: affinity-space configuration missing, but affinity defined for child a",
        "Error: a: unknown resource name \"TIME\" (line 2)",
    ];
    assert_eq!(read(text, None).1, said);
}

#[test]
fn affinities_lie_on_the_grid() {
    let text = "Warning: a: affinity location exceeds affinity-space boundary";
    for (area, inside) in [
        ("", true),
        ("xpos=\"1\" ypos=\"1\"", true),
        ("xpos=\"1\" width=\"2\"", false),
        ("ypos=\"2\"", false),
        ("xpos=\"4294967295\" width=\"4294967295\"", false),
    ] {
        let node = ["<start><affinity ", area, "/></start>"].concat();
        let said = read(&node, Some((2, 2))).1;
        assert_eq!(said, if inside { Vec::new() } else { [text.to_string()].to_vec() }, "{area}");
    }
}

#[test]
fn some_roms_are_made_by_init() {
    let rules = |label: &str| Origin::Rules(label.to_string());
    let (start, _) = read("<start><binary name=\"b\"/><config/></start>", None);
    for (service, label, origin) in [
        ("ROM", "a", rules("b")),
        ("ROM", "ld.lib.so", rules("b")),
        ("ROM", "a -> config", Origin::Config),
        ("ROM", "a -> x -> config", Origin::Config),
        ("ROM", "a -> session_requests", Origin::Requests),
        ("ROM", "a -> b", rules("a -> b")),
        ("ROM", "a -> a", rules("a -> a")),
        ("LOG", "a", rules("a")),
        ("LOG", "a -> config", rules("a -> config")),
    ] {
        assert_eq!(start.origin(service, label), origin, "{service} {label}");
    }
    let (start, _) = read("<start/>", None);
    assert_eq!(start.origin("ROM", "a -> config"), rules("a -> config"));
    assert_eq!(start.origin("ROM", "a"), rules("a"));
}

#[test]
fn only_declared_services_are_announced() {
    let (start, _) = read("<start><provides><service name=\"Echo\"/><servce/></provides></start>", None);
    assert_eq!(start.announce("Echo"), Ok(()));
    let message = start.announce("LOG").unwrap_err();
    assert_eq!(message.to_string(), "Error: a: illegal announcement of service \"LOG\"");
}

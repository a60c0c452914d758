// SPDX-License-Identifier: MIT
//! Tests of configurations that are wrong in some way, and of what is said then.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Config;
use crate::bytes::Bytes;
use crate::quota::Quota;
use crate::xml::Fault;

fn read(content: &str) -> (Config, Vec<String>) {
    let text = ["<config><default ram=\"1M\" caps=\"50\"/>\n", content, "</config>"].concat();
    let (config, said) = Config::read(&text).unwrap();
    (config, said.iter().map(ToString::to_string).collect())
}

fn names(config: &Config) -> Vec<&str> {
    config.starts.iter().map(|start| start.name.as_str()).collect()
}

#[test]
fn what_is_no_xml_is_no_configuration() {
    let fault = Config::read("<config>\n<start name=\"a\">\n</config>").unwrap_err();
    assert_eq!(fault, Fault::Malformed { line: 3, column: 1 });
    assert_eq!(fault.to_string(), "malformed XML at line 3 column 1");
}

#[test]
fn an_empty_configuration_has_no_children() {
    for text in ["<config/>", "<empty/>"] {
        let (config, said) = Config::read(text).unwrap();
        assert_eq!((config.starts.len(), said.len()), (0, 0));
        assert_eq!(config.preserved, Quota { ram: Bytes::kib(320), caps: 20 });
    }
}

#[test]
fn unknown_elements_are_named() {
    let (config, said) = read("<strat name=\"a\"/>\n<start name=\"b\"/><report/><heartbeat/>");
    assert_eq!(names(&config), ["b"]);
    assert_eq!(
        said,
        [
            "Warning: config: ignoring unknown element <strat> (line 2)",
            "Warning: config: <report> is not supported (line 3)",
            "Warning: config: <heartbeat> is not supported (line 3)",
        ]
    );
}

#[test]
fn a_nameless_child_is_skipped_alone() {
    let (config, said) = read("<start name=\"a\"/><start/><start name=\"b\"/>");
    assert_eq!(names(&config), ["a", "b"]);
    assert_eq!(
        said,
        [
            "Warning: missing 'name' attribute in '<start>' entry",
            "Warning: skipped startup of nameless child",
            "Error: child creation failed",
        ]
    );
}

#[test]
fn a_name_has_room_in_a_label() {
    let long = "n".repeat(65);
    let (config, said) = read(&["<start name=\"", &long, "\"/><start name=\"b\"/>"].concat());
    assert_eq!(names(&config), ["b"]);
    assert_eq!(said, ["Error: config: name of a child is longer than 64 bytes (line 2)"]);
}

#[test]
fn the_last_of_two_children_of_a_name_wins() {
    let (config, said) = read(
        "<start name=\"a\" priority=\"-5\"><config v=\"1\"/></start><start name=\"b\"/>\n<start name=\"a\"><config v=\"2\"/></start>",
    );
    assert_eq!(names(&config), ["a", "b"]);
    assert_eq!(config.starts[0].config.as_deref(), Some("<config v=\"2\"/>"));
    assert_eq!(said, ["Warning: a: duplicate start node, last one wins (line 3)"]);
}

#[test]
fn aliases_lead_to_children() {
    let (config, said) =
        read("<alias name=\"x\"/><alias/><alias name=\"b\" child=\"a\"/><start name=\"b\"/>");
    assert_eq!(config.services.aliases, [("b".to_string(), "a".to_string())]);
    assert_eq!(
        said,
        [
            "Warning: alias node \"x\" lacks child attribute",
            "Warning: config: <alias> without 'name' attribute is ignored (line 2)",
            "Warning: config: alias \"b\" hides the child of this name",
        ]
    );
}

#[test]
fn unknown_resources_are_named_and_known_ones_preserved() {
    let (config, said) = read(
        "<resource name=\"RAM\" preserve=\"1M\"/><resource name=\"CAP\" preserve=\"7\"/><resource name=\"TIME\"/>",
    );
    assert_eq!(config.preserved, Quota { ram: Bytes(1 << 20), caps: 7 });
    assert_eq!(said, ["Error: config: unknown resource name \"TIME\" (line 2)"]);
}

#[test]
fn priorities_without_levels_are_disabled() {
    let (config, said) = Config::read("<config prio_levels=\"3\"/>").unwrap();
    assert_eq!(config.levels, super::Levels::default());
    let said: Vec<_> = said.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["Warning: prio levels is not power of two, priorities are disabled"]);
}

#[test]
fn no_rules_at_all_are_no_route() {
    let (config, _) = read("<start name=\"a\"/>");
    let mut said = Vec::new();
    assert_eq!(config.route(&config.starts[0], "LOG", "a", &mut said), None);
    assert_eq!(said[0].to_string(), "Warning: a: no route to service \"LOG\" (label=\"a\")");
}

#[test]
fn offers_without_a_child_are_named() {
    let (config, said) = read(
        "<service name=\"LOG\"><policy label=\"a\"/><default-policy><child name=\"none\"/></default-policy></service><service/>",
    );
    assert_eq!(
        said,
        [
            "Warning: config: policy without <child> is ignored (line 2)",
            "Warning: config: <service> without 'name' attribute is ignored (line 2)",
        ]
    );
    let mut said = Vec::new();
    assert_eq!(config.offer("LOG", "b", &mut said), None);
    assert_eq!(config.offer("ROM", "b", &mut said), None);
    let said: Vec<_> = said.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["Error: parent: route of \"LOG\" to unknown child \"none\""]);
}

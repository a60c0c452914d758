// SPDX-License-Identifier: MIT
//! Tests of routes: which rule matches, which target wins, what is said.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Destination, Request, Route, Server};
use crate::read::Reader;
use crate::service::{Provider, Services};
use crate::xml::{Element, parse};

/// The services of a parent with LOG and ROM, and of children with these services.
fn services(children: &[(&str, &[&str])]) -> Services {
    Services {
        parent: ["LOG", "ROM"].map(String::from).to_vec(),
        children: children
            .iter()
            .map(|(name, services)| Provider {
                name: name.to_string(),
                services: services.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        aliases: [("logger".to_string(), "logsrv".to_string()), ("gone".to_string(), "away".to_string())]
            .to_vec(),
    }
}

fn route(rules: &str) -> (Route, Vec<String>) {
    let text = ["<route>", rules, "</route>"].concat();
    let document = parse(&text).unwrap();
    let mut said = Vec::new();
    let route = Route::read(&mut Reader { who: "c", said: &mut said }, Element::root(&document));
    (route, said.iter().map(ToString::to_string).collect())
}

/// Where a session of the client `c` goes, as `server: label`, and what is said.
fn goes(rules: &str, service: &str, label: &str) -> (Option<String>, Vec<String>) {
    let children: [(&str, &[&str]); 4] =
        [("logsrv", &["LOG", "Echo"]), ("c", &["Own", "Two"]), ("echo", &["Two", "File"]), ("away2", &[])];
    let mut said = Vec::new();
    let request = Request { client: "c", service, label };
    let found = route(rules).0.resolve(request, &services(&children), &mut said);
    let told = found.map(|Destination { server, label }| match server {
        Server::Parent => ["parent: ", &label].concat(),
        Server::Child(name) => [&name, ": ", &label].concat(),
    });
    (told, said.iter().map(ToString::to_string).collect())
}

fn to(server: &str) -> (Option<String>, Vec<String>) {
    (Some(server.to_string()), Vec::new())
}

const DENIED: (Option<String>, Vec<String>) = (None, Vec::new());

#[test]
fn the_first_rule_that_matches_wins() {
    let rules =
        "<service name=\"LOG\"><child name=\"logsrv\"/></service> <any-service><parent/></any-service>";
    assert_eq!(goes(rules, "LOG", "c"), to("logsrv: c"));
    assert_eq!(goes(rules, "ROM", "c"), to("parent: c"));
}

#[test]
fn what_a_parent_is_not_said_to_provide_is_not_routed_to_it() {
    let rules = "<any-service><parent/><any-child/></any-service>";
    assert_eq!(goes(rules, "File", "c -> f"), to("echo: c -> f"));
    let (found, said) = goes("<any-service><parent/></any-service>", "PD", "c");
    assert_eq!(found, None);
    assert_eq!(said, ["Warning: c: no route to service \"PD\" (label=\"c\")"]);
}

#[test]
fn a_service_rule_ends_the_search_and_any_service_does_not() {
    let strict = "<service name=\"File\"><parent/></service> <any-service><any-child/></any-service>";
    assert_eq!(goes(strict, "File", "c"), DENIED);
    let loose = "<any-service><parent/></any-service> <any-service><any-child/></any-service>";
    assert_eq!(goes(loose, "File", "c"), to("echo: c"));
    assert_eq!(goes("<service name=\"File\"/>", "File", "c"), DENIED);
}

#[test]
fn labels_of_the_environment_are_not_scoped() {
    for attribute in ["label=\"c\"", "label=\"\"", "label_prefix=\"\"", "label_suffix=\"\""] {
        let rules = [
            "<service name=\"LOG\" ",
            attribute,
            "><child name=\"logsrv\"/></service>
                      <any-service><parent/></any-service>",
        ]
        .concat();
        assert_eq!(goes(&rules, "LOG", "c"), to("parent: c"), "{attribute}");
    }
    let own = "<service name=\"LOG\" label_prefix=\"\"><child name=\"logsrv\"/></service> <any-service><parent/></any-service>";
    assert_eq!(goes(own, "LOG", "c -> "), to("logsrv: c -> "));
    let unscoped = "<service name=\"LOG\" unscoped_label=\"c\"><child name=\"logsrv\"/></service>";
    assert_eq!(goes(unscoped, "LOG", "c"), to("logsrv: c"));
    let last = "<service name=\"LOG\" label_last=\"c\"><child name=\"logsrv\"/></service>";
    assert_eq!(goes(last, "LOG", "c"), to("logsrv: c"));
}

#[test]
fn conditions_on_labels() {
    for (attributes, label, matches) in [
        ("label=\"x\"", "c -> x", true),
        ("label=\" x \"", "c -> x", true),
        ("label=\"x\"", "c -> x -> y", false),
        ("label=\"y -> z\"", "c -> y -> z", true),
        ("label_prefix=\"y\"", "c -> y -> z", true),
        ("label_prefix=\"c\"", "c -> y", false),
        ("label_suffix=\"z\"", "c -> y -> z", true),
        ("label_prefix=\"y\" label_suffix=\"x\"", "c -> y -> z", false),
        ("label_last=\"z\"", "c -> y -> z", true),
        ("label_last=\"y -> z\"", "c -> y -> z", false),
        ("label_last=\"z\" label=\"other\"", "c -> y -> z", true),
        ("label_last=\"y\" label=\"y -> z\"", "c -> y -> z", false),
        ("unscoped_label=\"c -> x\"", "c -> x", true),
        ("unscoped_label=\"x\"", "c -> x", false),
        ("unscoped_label=\"c -> x\" label=\"y\" label_last=\"z\"", "c -> x", true),
    ] {
        let rules = ["<service name=\"LOG\" ", attributes, "><parent/></service>"].concat();
        let found = goes(&rules, "LOG", label).0.is_some();
        assert_eq!(found, matches, "{attributes} of {label}");
    }
}

#[test]
fn scoped_and_unscoped_labels_do_not_go_together() {
    let text = "Warning: service node contains both scoped and unscoped label attributes";
    for attribute in ["label", "label_prefix", "label_suffix", "label_last"] {
        let rules = ["<service name=\"LOG\" unscoped_label=\"a\" ", attribute, "=\"b\"/>"].concat();
        assert_eq!(route(&rules).1, [text]);
    }
    assert_eq!(route("<service name=\"LOG\" label_last=\"a\" label=\"b\"/>").1, [""; 0]);
}

#[test]
fn targets_rewrite_labels() {
    let forced = "<service name=\"LOG\" label=\"x\"><child name=\"logsrv\" label=\"forced\"/></service>
        <service name=\"LOG\" label_last=\"z\">
          <child name=\"logger\" identity=\"who\" resource=\"what\" prepend_resource=\"/d/\"/> </service>
        <any-service><parent label=\"new\"/></any-service>";
    assert_eq!(goes(forced, "LOG", "c -> x"), to("logsrv: forced"));
    assert_eq!(goes(forced, "LOG", "c -> y -> z"), to("logsrv: who -> /d/what"));
    assert_eq!(goes(forced, "LOG", "c"), to("parent: new"));
}

#[test]
fn two_providers_are_ambiguous_and_the_next_target_is_tried() {
    let rules = "<service name=\"Two\"><any-child/><child name=\"echo\"/></service>";
    let (found, said) = goes(rules, "Two", "c -> t");
    assert_eq!(found.as_deref(), Some("echo: c -> t"));
    assert_eq!(said, ["Error: c: ambiguous routes to service \"Two\""]);
}

#[test]
fn unknown_children_are_said_and_others_that_do_not_provide_are_not() {
    let (found, said) = goes("<service name=\"LOG\"><child name=\"x\"/><parent/></service>", "LOG", "c");
    assert_eq!(found.as_deref(), Some("parent: c"));
    assert_eq!(said, ["Error: c: route of \"LOG\" to unknown child \"x\""]);
    let (found, said) = goes("<service name=\"LOG\"><child name=\"gone\"/></service>", "LOG", "c");
    assert_eq!(
        (found, said.as_slice()),
        (None, ["Error: c: route of \"LOG\" to unknown child \"gone\"".to_string()].as_slice())
    );
    assert_eq!(goes("<service name=\"LOG\"><child name=\"away2\"/></service>", "LOG", "c"), DENIED);
}

#[test]
fn a_route_to_oneself_is_said() {
    for target in ["<child name=\"c\"/>", "<any-child/>"] {
        let rules = ["<service name=\"Own\">", target, "</service>"].concat();
        let (found, said) = goes(&rules, "Own", "c");
        assert_eq!(found, None);
        assert_eq!(said, ["Error: c: route of \"Own\" leads to itself"]);
    }
}

#[test]
fn what_is_no_rule_or_target_is_named() {
    let (_, said) = route("<servise/><service/><service name=\"A\"><chld/><child/></service>");
    assert_eq!(
        said,
        [
            "Warning: c: ignoring unknown element <servise> (line 1)",
            "Warning: c: <service> without 'name' attribute is ignored (line 1)",
            "Warning: c: ignoring unknown element <chld> (line 1)",
            "Warning: c: <child> without 'name' attribute is ignored (line 1)",
        ]
    );
}

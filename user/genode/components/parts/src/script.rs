// SPDX-License-Identifier: MIT
//! What an actor is told to do: the elements of its configuration, as steps.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use genode_config::bytes::{Bytes, number};
use genode_config::xml::{self, Element};

/// What an actor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The text as it is.
    Log,
    /// The text behind `Warning: `.
    Warn,
    /// The text behind `Error: `.
    Error,
}

/// What an actor serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// LOG: each line with the label of its session in front.
    Log,
    /// Echo: sums.
    Echo,
}

/// What an actor does that its pager or nobody can forgive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It reads a word.
    Read,
    /// It writes a word.
    Write,
    /// It executes.
    Execute,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Says a text.
    Say {
        /// How.
        tone: Tone,
        /// What.
        text: String,
    },
    /// Waits for a timeout of the timer.
    Sleep {
        /// Milliseconds.
        ms: u64,
    },
    /// Tells its parent that it has finished.
    Exit {
        /// With this value.
        value: i32,
    },
    /// Runs no further step, whatever the configuration becomes.
    Stop,
    /// Computes a hash.
    Compute {
        /// Of so many bytes.
        n: u64,
    },
    /// Writes all words of an area, round after round, and adds them up.
    Touch {
        /// The area's pages.
        pages: u64,
        /// The rounds.
        rounds: u64,
    },
    /// Reads the time stamp counter, and looks whether it goes back.
    Tsc {
        /// How often.
        count: u64,
    },
    /// Announces a service, and serves it from then on.
    Serve {
        /// Which.
        service: Service,
        /// Whether it says who comes and goes.
        verbose: bool,
    },
    /// Opens sessions, and keeps them.
    Open {
        /// The service's name.
        service: String,
        /// How many.
        count: u64,
        /// The label of each.
        label: String,
    },
    /// Closes all sessions that it has opened.
    Close,
    /// Takes memory, and keeps it.
    ConsumeRam {
        /// How much.
        amount: Bytes,
    },
    /// Takes capabilities, and keeps them.
    ConsumeCaps {
        /// How many.
        amount: u64,
    },
    /// Gives back all that it has taken.
    Release,
    /// Accesses memory that need not be there.
    Fault {
        /// How.
        kind: Fault,
        /// Where.
        address: u64,
    },
    /// Reads a port by an instruction of its own.
    PortIn {
        /// Which.
        port: u16,
    },
    /// Calls an Echo server.
    Echo {
        /// How often.
        calls: u64,
    },
    /// Gives back all that it has taken when its parent asks for it.
    YieldHandler,
    /// Says how many configurations it has seen, and the version of the last.
    ConfigCount,
}

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// What it calls itself; steps are run again when that changes.
    pub version: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// Why a configuration is no script: a line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear(pub String);

impl Script {
    /// Reads a configuration as it is in a ROM.
    ///
    /// # Errors
    /// It fails if the bytes are no XML, or an element is no step.
    pub fn read(bytes: &[u8]) -> Result<Self, Unclear> {
        let faulty = |fault: xml::Fault| Unclear(format!("config: {fault}"));
        let document = xml::text(bytes).and_then(xml::parse).map_err(faulty)?;
        let config = Element::root(&document);
        let version = config.attribute("version").unwrap_or_default().to_string();
        let steps = config.children().map(step).collect::<Result<_, _>>()?;
        Ok(Self { version, steps })
    }
}

/// Reads one element.
fn step(element: Element<'_>) -> Result<Step, Unclear> {
    let text = |name| element.attribute(name).unwrap_or_default().to_string();
    let say = |tone| Ok(Step::Say { tone, text: text("string") });
    match element.name() {
        "log" => say(Tone::Log),
        "warn" => say(Tone::Warn),
        "error" => say(Tone::Error),
        "sleep" => Ok(Step::Sleep { ms: amount(element, "ms")? }),
        "exit" => Ok(Step::Exit { value: value(element)? }),
        "stop" => Ok(Step::Stop),
        "compute" => {
            one_of(element, "kind", &[("fnv", ())])?;
            Ok(Step::Compute { n: amount(element, "n")? })
        }
        "touch" => Ok(Step::Touch { pages: amount(element, "pages")?, rounds: amount(element, "rounds")? }),
        "tsc" => Ok(Step::Tsc { count: amount(element, "count")? }),
        "serve" => {
            let service = one_of(element, "service", &[("LOG", Service::Log), ("Echo", Service::Echo)])?;
            Ok(Step::Serve { service, verbose: is_yes(element, "verbose")? })
        }
        "open" => {
            let (service, label) = (needed(element, "service")?.to_string(), text("label"));
            let count = element.attribute("count").map_or(Ok(1), |_| amount(element, "count"))?;
            Ok(Step::Open { service, count, label })
        }
        "close" => Ok(Step::Close),
        "consume" => match (element.attribute("ram"), element.attribute("caps")) {
            (Some(text), None) => match text.parse() {
                Ok(amount) => Ok(Step::ConsumeRam { amount }),
                Err(_) => Err(wrong(element, "ram", text, "an amount of memory")),
            },
            (None, Some(_)) => Ok(Step::ConsumeCaps { amount: amount(element, "caps")? }),
            (Some(_), Some(_)) | (None, None) => Err(unclear(element, "needs either ram or caps")),
        },
        "release" => Ok(Step::Release),
        "fault" => {
            let kinds = [("read", Fault::Read), ("write", Fault::Write), ("exec", Fault::Execute)];
            Ok(Step::Fault { kind: one_of(element, "kind", &kinds)?, address: amount(element, "addr")? })
        }
        "port_in" => {
            let port = amount(element, "port")?;
            let narrow = u16::try_from(port);
            let wide =
                |_| wrong(element, "port", needed(element, "port").unwrap_or_default(), "at most 65535");
            Ok(Step::PortIn { port: narrow.map_err(wide)? })
        }
        "echo" => Ok(Step::Echo { calls: amount(element, "calls")? }),
        "yield_handler" => Ok(Step::YieldHandler),
        "config_count" => Ok(Step::ConfigCount),
        _ => Err(unclear(element, "is no step")),
    }
}

fn unclear(element: Element<'_>, why: &str) -> Unclear {
    Unclear(format!("config: line {}: <{}> {why}", element.line(), element.name()))
}

fn wrong(element: Element<'_>, attribute: &str, value: &str, expected: &str) -> Unclear {
    unclear(element, &format!("{attribute}=\"{value}\": expected {expected}"))
}

fn needed<'a>(element: Element<'a>, attribute: &str) -> Result<&'a str, Unclear> {
    element.attribute(attribute).ok_or_else(|| unclear(element, &format!("needs {attribute}")))
}

/// The whole number in an attribute that has to be there.
fn amount(element: Element<'_>, attribute: &str) -> Result<u64, Unclear> {
    let text = needed(element, attribute)?;
    number(text).map_err(|_| wrong(element, attribute, text, "a whole number"))
}

/// The value that an actor ends with, which may be negative.
fn value(element: Element<'_>) -> Result<i32, Unclear> {
    let text = element.attribute("value").unwrap_or("0");
    text.parse().map_err(|_| wrong(element, "value", text, "a number of 32 bits"))
}

/// What one of a few words stands for.
fn one_of<T: Copy>(element: Element<'_>, attribute: &str, words: &[(&str, T)]) -> Result<T, Unclear> {
    let text = needed(element, attribute)?;
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        wrong(element, attribute, text, &known.join(" or "))
    })
}

fn is_yes(element: Element<'_>, attribute: &str) -> Result<bool, Unclear> {
    let words =
        [("yes", true), ("true", true), ("on", true), ("no", false), ("false", false), ("off", false)];
    element.attribute(attribute).map_or(Ok(false), |_| one_of(element, attribute, &words))
}

#[cfg(test)]
mod tests;

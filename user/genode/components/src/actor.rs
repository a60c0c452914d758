// SPDX-License-Identifier: MIT
//! The actor: it does the steps of its configuration in order, and all of them again when the configuration has
//! another version. While it waits, it serves what it has announced.

mod served;

use alloc::vec::Vec;

use genode_parts::script::{Fault, Service, Step, Tone, Unclear};
use genode_parts::{Script, sums};
use genode_rt::dataspace::Rom;
use genode_rt::entrypoint::Entrypoint;
use genode_rt::env::Request;
use genode_rt::services::{Name, echo, timer};
use genode_rt::signal::Signals;
use genode_rt::{Cap, Env, Failure, PAGE, Result, access, error, log, warning};

use crate::serve::{FREE_SIGNAL, REQUESTS, announce};
use crate::{echo as calls, touch, tsc};
use served::Served;

/// Numbers of signals.
const CONFIG: u64 = FREE_SIGNAL;
const TIMER: u64 = FREE_SIGNAL + 1;
const YIELD: u64 = FREE_SIGNAL + 2;

/// What a session of any service costs at first, in bytes and capabilities.
const QUOTA: (u64, u64) = (8192, 4);

/// An actor.
pub struct Actor {
    env: Env,
    signals: Signals,
    config: Rom,
    /// How many configurations it has seen.
    configs: u64,
    /// Whether another one is there.
    has_changed: bool,
    timer: Option<timer::Client>,
    /// The numbers of sessions that it has opened.
    opened: Vec<u64>,
    /// Memory that it has taken.
    taken: Vec<Cap>,
    entrypoint: Option<Entrypoint>,
}

impl Actor {
    /// An actor that has not begun.
    pub fn new(env: Env) -> Result<Self> {
        let signals = Signals::new()?;
        let config = Rom::open(env, "config")?;
        config.session.sigh(signals.context(CONFIG)?)?;
        let (opened, taken) = (Vec::new(), Vec::new());
        Ok(Self {
            env,
            signals,
            config,
            configs: 0,
            has_changed: true,
            timer: None,
            opened,
            taken,
            entrypoint: None,
        })
    }

    /// Does what its configurations say, for ever.
    pub fn act(mut self) -> Result<()> {
        let mut version = None;
        loop {
            while !self.has_changed {
                self.take_signal()?;
            }
            self.has_changed = false;
            self.configs += 1;
            if self.configs > 1 {
                self.config.read()?;
            }
            match Script::read(self.config.bytes()) {
                Ok(script) if version.as_ref() != Some(&script.version) => {
                    for step in &script.steps {
                        self.step(step, &script.version)?;
                    }
                    version = Some(script.version);
                }
                Ok(_) => (),
                Err(Unclear(why)) => error!("{why}"),
            }
        }
    }

    /// Waits for a signal, and does what it is for; tells its number.
    fn take_signal(&mut self) -> Result<u64> {
        let Some((number, count)) = self.signals.receive(0) else { return Ok(0) };
        match number {
            CONFIG => self.has_changed = true,
            YIELD => {
                self.release()?;
                log!("yield: released");
                self.env.parent.yield_response()?;
            }
            REQUESTS => {
                if let Some(entrypoint) = self.entrypoint {
                    entrypoint.tell(REQUESTS, count);
                }
            }
            _ => (),
        }
        Ok(number)
    }

    fn step(&mut self, step: &Step, version: &str) -> Result<()> {
        let env = self.env;
        match step {
            Step::Say { tone: Tone::Log, text } => log!("{text}"),
            Step::Say { tone: Tone::Warn, text } => warning!("{text}"),
            Step::Say { tone: Tone::Error, text } => error!("{text}"),
            Step::Sleep { ms } => self.sleep(*ms)?,
            Step::Exit { value } => env.exit(i64::from(*value) as u64),
            Step::Stop => loop {
                self.take_signal()?;
            },
            Step::Compute { n } => log!("compute fnv n={n} {:#018x}", sums::fnv(*n)),
            Step::Touch { pages, rounds } => {
                let sum = touch::touch(env, *pages, *rounds)?;
                log!("touch pages={pages} rounds={rounds} sum={sum:#018x}");
            }
            Step::Tsc { count } if tsc::is_monotonic(*count) => log!("tsc {count} monotonic"),
            Step::Tsc { .. } => error!("tsc went back"),
            Step::Serve { service, verbose } => self.serve(*service, *verbose)?,
            Step::Open { service, count, label } => self.open(service, *count, label)?,
            Step::Close => {
                for session in self.opened.drain(..) {
                    env.close(session)?;
                }
            }
            Step::ConsumeRam { amount } => {
                self.taken.push(env.alloc_ds(amount.0)?);
                log!("consumed {amount}");
            }
            Step::ConsumeCaps { amount } => {
                for _ in 0..*amount {
                    self.taken.push(env.alloc_ds(PAGE)?);
                }
                log!("consumed {amount}");
            }
            Step::Release => self.release()?,
            Step::Fault { kind: Fault::Read, address } => {
                let _ = access::read(*address);
            }
            Step::Fault { kind: Fault::Write, address } => access::write(*address, 0),
            Step::Fault { kind: Fault::Execute, address } => access::execute(*address),
            Step::PortIn { port } => {
                let _ = access::input(*port);
            }
            Step::Echo { calls } => {
                let server: echo::Client = env.session("");
                log!("echo sum={}", calls::sum(server, *calls)?);
            }
            Step::YieldHandler => env.parent.yield_sigh(self.signals.context(YIELD)?)?,
            Step::ConfigCount => log!("config {}: {version}", self.configs),
        }
        Ok(())
    }

    fn sleep(&mut self, ms: u64) -> Result<()> {
        let timer = match self.timer {
            Some(timer) => timer,
            None => {
                let timer: timer::Client = self.env.session("");
                timer.sigh(self.signals.context(TIMER)?)?;
                *self.timer.insert(timer)
            }
        };
        if ms == 0 {
            return Ok(());
        }
        timer.trigger_once(ms.saturating_mul(1000))?;
        while self.take_signal()? != TIMER {}
        Ok(())
    }

    fn serve(&mut self, service: Service, verbose: bool) -> Result<()> {
        let entrypoint = match self.entrypoint {
            Some(entrypoint) => entrypoint,
            None => {
                let (env, requests) = (self.env, self.signals.context(REQUESTS)?);
                let made = Entrypoint::new(env, "ep", |entrypoint| Served::new(env, entrypoint, requests))?;
                *self.entrypoint.insert(made)
            }
        };
        let name = served::name(service);
        entrypoint.tell(served::number(service), u64::from(verbose));
        announce(self.env, name)?;
        log!("serving {name}");
        entrypoint.tell(REQUESTS, 1);
        Ok(())
    }

    fn open(&mut self, service: &str, count: u64, label: &str) -> Result<()> {
        for _ in 0..count {
            let request = Request { label, quota: QUOTA, more: "" };
            let name = Name::from(service).map_err(|_| Failure::BadArgument)?;
            match self.env.try_session_of(name, &request) {
                Ok((_, session)) => self.opened.push(session),
                Err(_) => {
                    let args = request.args().unwrap_or_default();
                    error!("stop because parent denied {service}-session: {args}");
                    genode_rt::stop();
                }
            }
        }
        log!("opened {service} {count}");
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        self.taken.drain(..).try_for_each(|memory| self.env.pd.free_ds(memory))
    }
}

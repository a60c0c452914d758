// SPDX-License-Identifier: MIT
//! The ROMs that init makes for its children: their configurations, and what their clients ask them for.
//!
//! The content changes when the child asks for the newest version, and at no other time.

use alloc::string::{String, ToString};

use genode_config::session::Server;
use genode_rt::dataspace::Attached;
use genode_rt::services::{access, rom};
use genode_rt::signal::submit;
use genode_rt::{Cap, Env, PAGE, Result};

use crate::child::replace;
use crate::init::Init;

/// What a ROM is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The child's configuration.
    Config,
    /// What its clients ask it for.
    Requests,
}

/// A ROM of a child.
#[derive(Debug)]
pub struct Local {
    /// The portal of the session, if the child has opened it.
    pub portal: Cap,
    content: Option<(Cap, Attached)>,
    sigh: Cap,
}

impl Local {
    /// A ROM that nobody has opened.
    pub const fn new() -> Self {
        Self { portal: Cap::NONE, content: None, sigh: Cap::NONE }
    }

    /// Tells the child that there is a new version.
    pub fn signal(&self) {
        if !self.sigh.is_none() {
            submit(self.sigh);
        }
    }

    /// Writes a version into the dataspace that there is, if it fits.
    fn write(&mut self, text: &str) -> bool {
        let Some((_, memory)) = &mut self.content else { return false };
        let bytes = memory.bytes_mut();
        let Some((own, rest)) = bytes.split_at_mut_checked(text.len()) else { return false };
        own.copy_from_slice(text.as_bytes());
        rest.fill(0);
        true
    }

    /// Makes a dataspace that has room for a version and for the zero behind it.
    fn make(&mut self, env: Env, text: &str) -> Result<()> {
        let size = (text.len() as u64 + 1).next_multiple_of(PAGE);
        let dataspace = env.pd.alloc_ds(size)?;
        let memory = Attached::new(env.pd, dataspace, size, access::WRITE).inspect_err(|_| {
            let _ = env.pd.free_ds(dataspace);
        })?;
        if let Some((before, memory)) = self.content.replace((dataspace, memory)) {
            drop(memory);
            let _ = env.pd.free_ds(before);
        }
        Ok(())
    }
}

/// A ROM that is being called.
pub struct Called<'a> {
    /// The init that serves it.
    pub init: &'a mut Init,
    /// The child that it is for.
    pub child: usize,
    /// What it is about.
    pub kind: Kind,
}

impl Called<'_> {
    /// The newest version.
    fn text(&self) -> String {
        match self.kind {
            Kind::Config => self.init.start(self.child).config.clone().unwrap_or_default(),
            Kind::Requests => self.init.sessions.requests(Server::Child(self.child)).to_string(),
        }
    }

    fn local(&mut self) -> &mut Local {
        self.init.children[self.child].rom(self.kind)
    }
}

impl rom::Server for Called<'_> {
    fn dataspace(&mut self) -> Result<(Cap, u64)> {
        let (text, env) = (self.text(), self.init.env);
        let local = self.local();
        if !local.write(&text) {
            local.make(env, &text)?;
            local.write(&text);
        }
        Ok(local.content.as_ref().map_or((Cap::NONE, 0), |(dataspace, memory)| (*dataspace, memory.size())))
    }

    fn update(&mut self) -> Result<bool> {
        let text = self.text();
        Ok(self.local().write(&text))
    }

    fn sigh(&mut self, signal: Cap) -> Result<()> {
        replace(&mut self.local().sigh, signal);
        Ok(())
    }
}

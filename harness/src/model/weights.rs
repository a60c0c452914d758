// SPDX-License-Identifier: MIT
//! The weights of `benches/model.toml`: read once, complete or refused.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

use crate::input::{self, Bound};

/// What the file holds when nothing else is asked for.
const BUILT_IN: &str = include_str!("../../../benches/model.toml");
const NAME: &str = "benches/model.toml";

/// Weights for one kind of processor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The processor that the weights describe.
    pub processor: String,
    /// Bytes that count as close by.
    pub(super) hot_bytes: u64,
    pub(super) weights: Weights,
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Basis {
    /// The source gives it.
    Measured,
    /// Computed from what the source gives.
    Derived,
    /// Assumed.
    Estimated,
}

/// The cost of one event.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weight {
    pub(super) cycles: f64,
    pub(super) basis: Basis,
    pub(super) source: String,
}

/// The cost of one pass over a page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) hot: f64,
    pub(super) cold: f64,
    /// What an emulator counts for it.
    pub(super) instructions: u64,
    pub(super) basis: Basis,
    pub(super) source: String,
}

/// All of them; none has a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weights {
    pub(super) user_instruction: Weight,
    pub(super) kernel_instruction: Weight,
    pub(super) return_to_user: Weight,
    pub(super) state: Weight,
    pub(super) counter: Weight,
    pub(super) write_fault: Weight,
    pub(super) exception: Weight,
    pub(super) system_call: Weight,
    pub(super) debug_exception: Weight,
    pub(super) copied: Page,
    pub(super) compared: Page,
    pub(super) compared_and_copied: Page,
    pub(super) hashed: Page,
    pub(super) mapped: Weight,
    pub(super) translation_flush: Weight,
    pub(super) line_flush: Weight,
    pub(super) cache_flush: Weight,
}

impl Model {
    /// The project's own.
    pub fn built_in() -> Result<&'static Self> {
        static MODEL: OnceLock<Model> = OnceLock::new();
        if let Some(model) = MODEL.get() {
            return Ok(model);
        }
        let model = Self::parse(BUILT_IN).context(NAME)?;
        Ok(MODEL.get_or_init(|| model))
    }

    /// Somebody's own.
    pub fn read(path: &Path) -> Result<Self> {
        let text = String::from_utf8(input::read(path, Bound::MODEL)?).map_err(|_| anyhow!("not a text"));
        text.and_then(|text| Self::parse(&text)).with_context(|| path.display().to_string())
    }

    /// Reads a file's text; what is wrong with it is one line.
    pub fn parse(text: &str) -> Result<Self> {
        let model: Self = toml::from_str(text).map_err(|error| {
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            match error.span() {
                Some(span) => anyhow!("line {}: {message}", text[..span.start].lines().count().max(1)),
                None => anyhow!("{message}"),
            }
        })?;
        for (name, costs, source) in model.weights.all() {
            let sound = costs.iter().all(|cycles| cycles.is_finite() && *cycles >= 0.0);
            ensure!(sound, "{name}: a weight is a number of cycles, at least 0");
            ensure!(!source.trim().is_empty(), "{name}: no source");
        }
        Ok(model)
    }
}

impl Weights {
    /// Name, figures and source of each weight.
    pub(super) fn all(&self) -> [(&'static str, Vec<f64>, &str); 17] {
        let one = |name, weight: &'_ Weight| (name, vec![weight.cycles]);
        let two = |name, page: &'_ Page| (name, vec![page.hot, page.cold]);
        let rows = [
            (one("user_instruction", &self.user_instruction), &self.user_instruction.source),
            (one("kernel_instruction", &self.kernel_instruction), &self.kernel_instruction.source),
            (one("return_to_user", &self.return_to_user), &self.return_to_user.source),
            (one("state", &self.state), &self.state.source),
            (one("counter", &self.counter), &self.counter.source),
            (one("write_fault", &self.write_fault), &self.write_fault.source),
            (one("exception", &self.exception), &self.exception.source),
            (one("system_call", &self.system_call), &self.system_call.source),
            (one("debug_exception", &self.debug_exception), &self.debug_exception.source),
            (two("copied", &self.copied), &self.copied.source),
            (two("compared", &self.compared), &self.compared.source),
            (two("compared_and_copied", &self.compared_and_copied), &self.compared_and_copied.source),
            (two("hashed", &self.hashed), &self.hashed.source),
            (one("mapped", &self.mapped), &self.mapped.source),
            (one("translation_flush", &self.translation_flush), &self.translation_flush.source),
            (one("line_flush", &self.line_flush), &self.line_flush.source),
            (one("cache_flush", &self.cache_flush), &self.cache_flush.source),
        ];
        rows.map(|((name, costs), source)| (name, costs, source.as_str()))
    }
}

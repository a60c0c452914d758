// SPDX-License-Identifier: MIT
//! The weights of `benches/model.toml`: read once, complete or refused.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

use crate::host::input::{self, Bound};

/// What the file holds when nothing else is asked for.
const BUILT_IN: &str = include_str!("../../../../benches/model.toml");
/// The bound of a file with weights.
const BOUND: Bound = Bound { most: 1 << 20, of: "a model" };
const NAME: &str = "benches/model.toml";

/// Weights for one kind of processor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The processor that the weights describe.
    pub processor: String,
    /// Bytes that count as close by.
    pub(super) hot_bytes: u64,
    /// Bytes that count as in the caches at all.
    pub(super) cached_bytes: u64,
    pub(super) weights: Weights,
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Basis {
    /// The source gives it.
    Measured,
    /// A program of this project gave it, on the processor and the day that the source names.
    #[serde(rename = "measured here")]
    MeasuredHere,
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

/// Where memory is when it is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is in the first-level cache, more or less.
    Hot,
    /// It is in a cache farther away.
    Cold,
    /// It is in no cache.
    Dram,
}

/// The cost of one pass over a page, or over a line of 64 bytes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) hot: f64,
    pub(super) cold: f64,
    pub(super) dram: f64,
    /// What an emulator counts for it.
    pub(super) instructions: u64,
    pub(super) basis: Basis,
    pub(super) source: String,
}

impl Page {
    /// The cost where memory is in reach like that.
    pub(super) fn at(&self, reach: Reach) -> f64 {
        match reach {
            Reach::Hot => self.hot,
            Reach::Cold => self.cold,
            Reach::Dram => self.dram,
        }
    }
}

/// All of them; none has a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weights {
    pub(super) user_instruction: Weight,
    pub(super) kernel_instruction: Weight,
    pub(super) return_to_user: Weight,
    pub(super) state: Weight,
    pub(super) selector: Weight,
    pub(super) base_write: Weight,
    pub(super) base_read: Weight,
    pub(super) x87_reset: Weight,
    pub(super) x87_clear: Weight,
    pub(super) time_stamp: Weight,
    pub(super) apic_write: Weight,
    pub(super) write_fault: Weight,
    pub(super) exception: Weight,
    pub(super) system_call: Weight,
    pub(super) debug_exception: Weight,
    pub(super) copied: Page,
    pub(super) compared: Page,
    pub(super) compared_and_copied: Page,
    pub(super) hashed: Page,
    pub(super) line_copied: Page,
    pub(super) line_filled: Page,
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
        let text = String::from_utf8(input::read(path, BOUND)?).map_err(|_| anyhow!("not a text"));
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
    pub(super) fn all(&self) -> [(&'static str, Vec<f64>, &str); 25] {
        let one = |name, weight: &'_ Weight| (name, vec![weight.cycles]);
        let pass = |name, page: &'_ Page| (name, vec![page.hot, page.cold, page.dram]);
        let rows = [
            (one("user_instruction", &self.user_instruction), &self.user_instruction.source),
            (one("kernel_instruction", &self.kernel_instruction), &self.kernel_instruction.source),
            (one("return_to_user", &self.return_to_user), &self.return_to_user.source),
            (one("state", &self.state), &self.state.source),
            (one("selector", &self.selector), &self.selector.source),
            (one("base_write", &self.base_write), &self.base_write.source),
            (one("base_read", &self.base_read), &self.base_read.source),
            (one("x87_reset", &self.x87_reset), &self.x87_reset.source),
            (one("x87_clear", &self.x87_clear), &self.x87_clear.source),
            (one("time_stamp", &self.time_stamp), &self.time_stamp.source),
            (one("apic_write", &self.apic_write), &self.apic_write.source),
            (one("write_fault", &self.write_fault), &self.write_fault.source),
            (one("exception", &self.exception), &self.exception.source),
            (one("system_call", &self.system_call), &self.system_call.source),
            (one("debug_exception", &self.debug_exception), &self.debug_exception.source),
            (pass("copied", &self.copied), &self.copied.source),
            (pass("compared", &self.compared), &self.compared.source),
            (pass("compared_and_copied", &self.compared_and_copied), &self.compared_and_copied.source),
            (pass("hashed", &self.hashed), &self.hashed.source),
            (pass("line_copied", &self.line_copied), &self.line_copied.source),
            (pass("line_filled", &self.line_filled), &self.line_filled.source),
            (one("mapped", &self.mapped), &self.mapped.source),
            (one("translation_flush", &self.translation_flush), &self.translation_flush.source),
            (one("line_flush", &self.line_flush), &self.line_flush.source),
            (one("cache_flush", &self.cache_flush), &self.cache_flush.source),
        ];
        rows.map(|((name, costs), source)| (name, costs, source.as_str()))
    }
}

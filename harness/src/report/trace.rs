// SPDX-License-Identifier: MIT
//! A trace file, added up and analysed in one pass.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wire::end::EndRecord;
use wire::record::{PeRecord, Record};

use super::analysis::{Analysis, Collector};
use crate::outcome::model::Model;
use crate::outcome::origin::Origin;
use crate::outcome::subject::Subject;
use crate::outcome::summary::{Summary, Sums};
use crate::outcome::told;
use crate::outcome::trace_file::Reader;

/// A trace file that was read.
pub struct Trace {
    path: PathBuf,
    /// What the run was of.
    pub subject: Subject,
    /// The file's checksum.
    pub checksum: u32,
    /// How the run ended.
    pub end: EndRecord,
    /// What its PEs come to; none for a program that was refused and never ran.
    pub told: Option<Told>,
}

/// What PEs come to.
pub struct Told {
    /// The summary, as after the run.
    pub summary: Summary,
    /// What a report has besides.
    pub analysis: Analysis,
}

impl Trace {
    /// Reads a file; the timeline has single PEs from this number on.
    pub fn read(path: &Path, from: u64) -> Result<Self> {
        let name = || path.display().to_string();
        let mut reader = Reader::open(path)?;
        let mut sums = Sums::default();
        let mut collector = Collector::new(from);
        reader.header().iter().for_each(|header| sums.add(&Record::Header(*header)));
        for record in reader.by_ref() {
            let record = record.with_context(|| format!("after {} PEs", sums.count())).with_context(name)?;
            sums.add(&record);
            if let Record::Pe(pe) = &record {
                collector.add(pe);
            }
        }
        let end = reader.end().with_context(name)?;
        let told = sums.summary(end).with_context(name)?.map(|summary| {
            let analysis = collector.finish(&summary.labels);
            Told { summary, analysis }
        });
        let (subject, checksum) = (reader.subject().clone(), reader.checksum());
        Ok(Self { path: path.to_owned(), subject, checksum, end, told })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name without its folder.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// What the PEs come to, of a run that has some.
    pub fn told(&self) -> Result<&Told> {
        self.told.as_ref().with_context(|| format!("{}: no program ran", self.path.display()))
    }

    /// Where the figures come from.
    pub fn origin(&self) -> Result<Origin> {
        let origin = Origin::of_trace(&self.subject, self.checksum);
        Ok(origin.with("model", Model::built_in()?.processor.clone()))
    }

    /// The exit status of the run.
    pub fn status(&self) -> u8 {
        told::exit_status(&self.end.end)
    }

    /// Its PEs one by one, read once more.
    pub fn records(&self) -> Result<impl Iterator<Item = Result<PeRecord>>> {
        records(&self.path)
    }
}

/// The PEs of a file one by one.
pub fn records(path: &Path) -> Result<impl Iterator<Item = Result<PeRecord>>> {
    let name = path.display().to_string();
    ensure!(
        path.is_file(),
        "{name}: not a regular file, and it has to be read once more for --csv and --perfetto"
    );
    let pe = |record| match record {
        Ok(Record::Pe(record)) => Some(Ok(record)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    };
    Ok(Reader::open(path)?.filter_map(pe).map(move |record| record.with_context(|| name.clone())))
}

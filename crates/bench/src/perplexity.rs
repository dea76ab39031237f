//! What each path loses in quality: perplexity of the same text, computed by the host.
//!
//! The host's kernels give the same bits as the board's, so no board is needed for it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use wisp_model::eval::{self, PlacementChoice, Ways};

use crate::figures::{Figures, Unit};
use crate::session::{Group, Job};
use crate::subject::Placement;

/// Evaluates the paths of every group that has a text, against its f32 path if it has one.
pub fn add(groups: &[Group], figures: &mut Figures) -> Result<()> {
    for group in groups {
        let Some(text) = &group.text else { continue };
        let reference = group.jobs.iter().find(|job| job.prefix.ends_with("_f32"));
        for job in &group.jobs {
            one(reference, job, text, figures)?;
        }
    }
    Ok(())
}

fn one(reference: Option<&Job>, job: &Job, text: &Path, figures: &mut Figures) -> Result<()> {
    let placement = match job.placement {
        Placement::InPlace => PlacementChoice::InPlace,
        Placement::Lanes => PlacementChoice::Lanes,
    };
    let ways = Ways { placements: vec![placement], ..Ways::default() };
    let files: Vec<PathBuf> =
        reference.into_iter().chain([job]).map(|job| job.file.clone()).collect();
    let report = eval::evaluate(&files, &ways, text)
        .map_err(|error| anyhow!("perplexity of {}: {error}", job.prefix))?;
    let score = report.models.last().context("no score")?;
    let prefix = &job.prefix;
    figures.add(format!("{prefix}_perplexity"), score.perplexity, Unit::Perplexity);
    // Without a reference, the first file is the path itself.
    if let (Some(_), Some(difference)) = (reference, score.perplexity_difference) {
        figures.add(format!("{prefix}_perplexity_to_f32"), difference, Unit::Percent);
    }
    Ok(())
}

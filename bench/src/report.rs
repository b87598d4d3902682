//! The tables, and the same as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::contestant::Contestant;
use crate::environment::Environment;
use crate::ledger::Collapsed;
use crate::scenario::{Figure, Scenario};
use crate::targets::{self, Standing};

/// All figures of all rounds.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    environment: Environment,
    scenarios: Vec<Section>,
}

/// One scenario.
#[derive(Debug, Serialize)]
struct Section {
    scenario: String,
    /// By figure, then by contestant, in the order in which they were first measured.
    figures: Vec<(&'static str, Vec<Row>)>,
    /// Who could not keep up, which is a result.
    collapses: BTreeMap<&'static str, Vec<String>>,
    failures: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Row {
    contestant: &'static str,
    values: Vec<f64>,
}

impl Row {
    fn sorted(&self) -> Vec<f64> {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values
    }
}

/// A report with what follows from it, as it is written down.
#[derive(Debug, Serialize)]
pub struct Judged<'a> {
    #[serde(flatten)]
    report: &'a Report,
    targets: Vec<Standing>,
}

impl Report {
    /// Of what will be measured there.
    pub fn new(environment: Environment) -> Self {
        Self { environment, scenarios: Vec::new() }
    }

    /// What became of one run. zapgate may not collapse, others may.
    pub fn add(&mut self, scenario: &Scenario, contestant: Contestant, outcome: anyhow::Result<Vec<Figure>>) {
        let section = self.section(scenario.key());
        match outcome {
            Ok(figures) => figures.into_iter().for_each(|figure| section.add(contestant.name(), figure)),
            Err(e) => {
                let collapsed = contestant != Contestant::Zapgate && e.is::<Collapsed>();
                let kept = if collapsed { &mut section.collapses } else { &mut section.failures };
                kept.entry(contestant.name()).or_default().push(format!("{e:#}"));
            }
        }
    }

    /// Every run was whole.
    pub fn is_sound(&self) -> bool {
        self.scenarios.iter().all(|section| section.failures.is_empty())
    }

    /// The middle one of all rounds.
    pub fn median(&self, scenario: &str, figure: &str, contestant: Contestant) -> Option<f64> {
        let section = self.scenarios.iter().find(|section| section.scenario == scenario)?;
        let (_, rows) = section.figures.iter().find(|(name, _)| *name == figure)?;
        rows.iter().find(|row| row.contestant == contestant.name()).and_then(|row| median(&row.sorted()))
    }

    /// With the targets.
    pub fn judged(&self) -> Judged<'_> {
        Judged { report: self, targets: targets::standings(self) }
    }

    fn section(&mut self, key: String) -> &mut Section {
        let at = self.scenarios.iter().position(|section| section.scenario == key).unwrap_or_else(|| {
            let (collapses, failures) = (BTreeMap::new(), BTreeMap::new());
            self.scenarios.push(Section { scenario: key, figures: Vec::new(), collapses, failures });
            self.scenarios.len() - 1
        });
        &mut self.scenarios[at]
    }
}

impl Section {
    fn add(&mut self, contestant: &'static str, figure: Figure) {
        let at = self.figures.iter().position(|(name, _)| *name == figure.name).unwrap_or_else(|| {
            self.figures.push((figure.name, Vec::new()));
            self.figures.len() - 1
        });
        let rows = &mut self.figures[at].1;
        match rows.iter_mut().find(|row| row.contestant == contestant) {
            Some(row) => row.values.push(figure.value),
            None => rows.push(Row { contestant, values: vec![figure.value] }),
        }
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.report.environment)?;
        if !self.targets.is_empty() {
            writeln!(f, "### Targets\n\n{}", targets::HEAD)?;
            self.targets.iter().try_for_each(|standing| writeln!(f, "{standing}"))?;
        }
        self.report.scenarios.iter().try_for_each(|section| section.fmt(f))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, figures, collapses, failures } = self;
        writeln!(f, "\n### {scenario}\n")?;
        for (name, rows) in figures {
            writeln!(f, "| {name} | minimum | median | maximum |\n|---|--:|--:|--:|")?;
            for row in rows {
                let values = row.sorted();
                let (Some(least), Some(median), Some(most)) = (values.first(), median(&values), values.last()) else {
                    continue;
                };
                writeln!(f, "| {} | {} | {} | {} |", row.contestant, shown(*least), shown(median), shown(*most))?;
            }
            writeln!(f)?;
        }
        for (contestant, reasons) in collapses {
            writeln!(f, "{contestant} collapsed: {}\n", reasons.join("; "))?;
        }
        for (contestant, reasons) in failures {
            writeln!(f, "{contestant} failed: {}\n", reasons.join("; "))?;
        }
        Ok(())
    }
}

/// With as many digits as mean something.
pub fn shown(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// What a document says of the last run stands between these.
const MARKERS: [&str; 2] = ["<!-- measured: -->\n", "<!-- :measured -->"];

/// Puts the report into the document, in place of the last one.
pub fn write_into(document: &Path, report: &Judged<'_>) -> anyhow::Result<()> {
    let text = fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let text = replaced(&text, &report.to_string()).context("the document has no place for what was measured")?;
    fs::write(document, text).with_context(|| document.display().to_string())
}

fn replaced(text: &str, report: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKERS[0])?;
    let (_, after) = rest.split_once(MARKERS[1])?;
    Some(format!("{before}{}\n{}\n\n{}{after}", MARKERS[0], report.trim(), MARKERS[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAN_OUT: Scenario = Scenario::FanOut { sockets: 10 };

    #[test]
    fn a_row_shows_its_least_middle_and_most() {
        let mut report = Report::default();
        for value in [300.0, 1.5, 20.0] {
            report.add(&FAN_OUT, Contestant::Bun, Ok(vec![Figure { name: "ms", value }]));
        }

        let text = report.judged().to_string();
        assert!(report.is_sound() && text.contains("| Bun.serve, in memory | 1.50 | 20.0 | 300 |"), "{text}");
        assert_eq!(report.median("fan-out-10", "ms", Contestant::Bun), Some(20.0));
        assert_eq!(report.median("fan-out-10", "ms", Contestant::Zapgate), None);
    }

    #[test]
    fn others_may_collapse_and_nobody_may_fail() {
        let collapsed = || anyhow::Error::new(Collapsed { what: "arrived", done: 1, wanted: 2 }).context("at the end");
        let mut report = Report::default();
        report.add(&FAN_OUT, Contestant::Bun, Err(collapsed()));
        assert!(report.is_sound());
        assert!(report.judged().to_string().contains("Bun.serve, in memory collapsed: at the end: 1 of 2 arrived"));

        let failures = [(Contestant::Bare, anyhow::anyhow!("1 twice")), (Contestant::Zapgate, collapsed())];
        for (contestant, failure) in failures {
            let mut report = Report::default();
            report.add(&FAN_OUT, contestant, Err(failure));
            assert!(!report.is_sound());
        }
    }

    #[test]
    fn a_document_keeps_what_stands_around_the_last_run() {
        let document = "# A\n<!-- measured: -->\nold\n<!-- :measured -->\nend\n";
        let once = replaced(document, "new\n").unwrap();

        assert_eq!(once, "# A\n<!-- measured: -->\n\nnew\n\n<!-- :measured -->\nend\n");
        assert_eq!(replaced(&once, "new\n").unwrap(), once);
        assert_eq!(replaced("# A\n", "new"), None);
    }
}

//! The table, and the same as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::contestant::Contestant;
use crate::scenario::{Figure, Scenario};

/// All figures of all rounds.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    scenarios: Vec<Section>,
}

/// One scenario.
#[derive(Debug, Serialize)]
struct Section {
    scenario: String,
    /// By figure, then by contestant, in the order in which they were first measured.
    figures: Vec<(&'static str, Vec<Row>)>,
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

impl Report {
    pub fn add(&mut self, scenario: &Scenario, contestant: Contestant, outcome: anyhow::Result<Vec<Figure>>) {
        let section = self.section(scenario.key());
        match outcome {
            Ok(figures) => figures.into_iter().for_each(|figure| section.add(contestant.name(), figure)),
            Err(e) => section.failures.entry(contestant.name()).or_default().push(format!("{e:#}")),
        }
    }

    /// Every run was whole.
    pub fn is_sound(&self) -> bool {
        self.scenarios.iter().all(|section| section.failures.is_empty())
    }

    fn section(&mut self, key: String) -> &mut Section {
        let at = self.scenarios.iter().position(|section| section.scenario == key).unwrap_or_else(|| {
            self.scenarios.push(Section { scenario: key, figures: Vec::new(), failures: BTreeMap::new() });
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Section { scenario, figures, failures } in &self.scenarios {
            writeln!(f, "\n### {scenario}\n")?;
            for (name, rows) in figures {
                writeln!(f, "| {name} | minimum | median | maximum |\n|---|--:|--:|--:|")?;
                for row in rows {
                    let values = row.sorted();
                    let (Some(least), Some(most)) = (values.first(), values.last()) else { continue };
                    let median = values[values.len() / 2];
                    writeln!(f, "| {} | {} | {} | {} |", row.contestant, shown(*least), shown(median), shown(*most))?;
                }
                writeln!(f)?;
            }
            for (contestant, reasons) in failures {
                writeln!(f, "{contestant} failed: {}\n", reasons.join("; "))?;
            }
        }
        Ok(())
    }
}

/// With as many digits as mean something.
fn shown(value: f64) -> String {
    match value {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_its_least_middle_and_most_and_a_failure_is_never_sound() {
        let scenario = Scenario::FanOut { sockets: 10 };
        let mut report = Report::default();
        for value in [300.0, 1.5, 20.0] {
            report.add(&scenario, Contestant::Bun, Ok(vec![Figure { name: "ms", value }]));
        }

        assert!(report.is_sound());
        assert!(report.to_string().contains("| Bun.serve, in memory | 1.50 | 20.0 | 300 |"), "{report}");

        report.add(&scenario, Contestant::Bare, Err(anyhow::anyhow!("1 of 2 arrived")));
        assert!(!report.is_sound());
    }
}

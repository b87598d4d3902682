//! What zapgate has to reach, as data, and how far it is.

use std::fmt;

use serde::Serialize;

use crate::contestant::Contestant;
use crate::report::{Report, shown};

/// One of zapgate's figures, alone or against another of the same run; medians of the rounds.
#[derive(Clone, Copy, Debug)]
struct Target {
    scenario: &'static str,
    figure: &'static str,
    against: Against,
    /// `None`: shown, and judged by nothing.
    must: Option<Bound>,
    /// What would be better still, in the direction of `must`.
    stretch: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Against {
    Nothing,
    Contestant(Contestant),
    /// zapgate's own figure there.
    Scenario(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Against::{Contestant as Peer, Nothing, Scenario};
use Bound::{AtLeast, AtMost};
use Contestant::{Durable, Fastify, Socketio, SocketioPostgres};

const fn target(
    scenario: &'static str,
    figure: &'static str,
    against: Against,
    must: Bound,
    stretch: Option<f64>,
) -> Target {
    Target { scenario, figure, against, must: Some(must), stretch }
}

const fn shown_only(scenario: &'static str, figure: &'static str, against: Against) -> Target {
    Target { scenario, figure, against, must: None, stretch: None }
}

const TARGETS: [Target; 17] = [
    target("rate-64", "accepted/s", Peer(Socketio), AtLeast(2.8), Some(3.5)),
    target("rate-64", "accepted/s", Peer(Fastify), AtLeast(1.0), Some(1.2)),
    target("rate-64", "accepted/s", Peer(SocketioPostgres), AtLeast(5.0), None),
    target("rate-64", "accepted/s", Peer(Durable), AtLeast(0.6), Some(0.76)),
    target("rate-64", "CPU µs per webhook", Peer(Socketio), AtMost(0.36), Some(0.28)),
    target("rate-64", "CPU µs per webhook", Peer(Durable), AtMost(1.6), Some(1.25)),
    target("latency-2000", "p50 ms", Peer(Durable), AtMost(1.6), Some(1.2)),
    target("latency-2000", "p99 ms", Peer(Socketio), AtMost(0.4), Some(0.25)),
    target("latency-5000", "p99 ms", Peer(Socketio), AtMost(0.4), Some(0.2)),
    target("latency-5000", "unsent a second after the end", Nothing, AtMost(0.0), None),
    target("fan-out-2000", "to the last, p50 ms", Peer(Socketio), AtMost(0.85), Some(0.6)),
    target("idle-10000", "RSS kB per socket", Nothing, AtMost(14.9), Some(9.0)),
    target("storm-5000", "s until all have recovered", Nothing, AtMost(8.0), None),
    target("storm-5000", "others' p99, storm against calm", Nothing, AtMost(5.0), None),
    // A fifth more would not show in the 99th percentile, whose noise is larger than that.
    target("growth-10M", "p50 ms", Scenario("growth-10k"), AtMost(1.2), None),
    shown_only("growth-10M", "p99 ms", Scenario("growth-10k")),
    shown_only("growth-10M", "CPU µs per webhook", Scenario("growth-10k")),
];

/// How a target was met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    figure: String,
    zapgate: f64,
    /// Whose figure it is held against, and that figure.
    other: Option<(String, f64)>,
    /// zapgate's through the other's.
    ratio: Option<f64>,
    must: Option<String>,
    stretch: Option<String>,
    reached: Option<Reached>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reached {
    No,
    Yes,
    Stretch,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            AtLeast(least) => value >= least,
            AtMost(most) => value <= most,
        }
    }

    const fn with(self, limit: f64) -> Self {
        match self {
            AtLeast(_) => AtLeast(limit),
            AtMost(_) => AtMost(limit),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtLeast(least) => write!(f, "≥ {least}"),
            AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

impl Target {
    /// `None` when a figure of it was not measured.
    fn standing(&self, report: &Report) -> Option<Standing> {
        let zapgate = report.median(self.scenario, self.figure, Contestant::Zapgate)?;
        let other = match self.against {
            Nothing => None,
            Peer(peer) => Some((peer.name(), report.median(self.scenario, self.figure, peer)?)),
            Scenario(other) => Some((other, report.median(other, self.figure, Contestant::Zapgate)?)),
        };
        let ratio = other.map(|(_, other)| zapgate / other);
        let judged = ratio.unwrap_or(zapgate);
        let stretch = self.must.zip(self.stretch).map(|(must, limit)| must.with(limit));
        let reached = self.must.map(|must| match (must.holds(judged), stretch) {
            (true, Some(stretch)) if stretch.holds(judged) => Reached::Stretch,
            (true, _) => Reached::Yes,
            (false, _) => Reached::No,
        });
        Some(Standing {
            figure: format!("{}: {}", self.scenario, self.figure),
            zapgate,
            other: other.map(|(name, value)| (name.to_owned(), value)),
            ratio,
            must: self.must.map(|bound| bound.to_string()),
            stretch: stretch.map(|bound| bound.to_string()),
            reached,
        })
    }
}

/// All targets whose figures were measured.
pub fn standings(report: &Report) -> Vec<Standing> {
    TARGETS.iter().filter_map(|target| target.standing(report)).collect()
}

/// The table's head.
pub const HEAD: &str = "| figure | zapgate | other | ratio | must | stretch | reached |\n|---|--:|--:|--:|--:|--:|---|";

/// A row of the table.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = self.other.as_ref().map(|(name, value)| format!("{} ({name})", shown(*value)));
        let ratio = self.ratio.map(|ratio| format!("{ratio:.2}"));
        let reached = self.reached.map(|reached| match reached {
            Reached::No => "**no**".to_owned(),
            Reached::Yes => "yes".to_owned(),
            Reached::Stretch => "stretch".to_owned(),
        });
        let cells = [other, ratio, self.must.clone(), self.stretch.clone(), reached];
        write!(f, "| {} | {} |", self.figure, shown(self.zapgate))?;
        cells.into_iter().try_for_each(|cell| write!(f, " {} |", cell.as_deref().unwrap_or("–")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{Figure, Scenario as Measured};

    fn report(figures: &[(Contestant, f64)]) -> Report {
        let rate = Measured::Rate { connections: 64, lasts: Duration::ZERO };
        let mut report = Report::default();
        for (contestant, value) in figures {
            report.add(&rate, *contestant, Ok(vec![Figure { name: "accepted/s", value: *value }]));
        }
        report
    }

    fn rows(report: &Report) -> Vec<String> {
        standings(report).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_target_is_judged_by_the_ratio_of_medians() {
        let zapgate = Contestant::Zapgate;
        let of = |zapgates: f64| {
            rows(&report(&[(zapgate, 1.0), (zapgate, zapgates), (zapgate, 9e9), (Contestant::Socketio, 1000.0)]))
        };

        assert_eq!(
            of(2790.0),
            ["| rate-64: accepted/s | 2790 | 1000 (Express + Socket.IO, in memory) | 2.79 | ≥ 2.8 | ≥ 3.5 | **no** |"]
        );
        assert!(of(2800.0)[0].ends_with("| yes |"));
        assert!(of(3500.0)[0].ends_with("| stretch |"));
    }

    #[test]
    fn what_was_not_measured_has_no_row() {
        assert!(rows(&report(&[(Contestant::Zapgate, 1.0)])).is_empty());
        assert!(rows(&report(&[(Contestant::Socketio, 1.0)])).is_empty());
    }

    #[test]
    fn a_figure_alone_is_judged_itself_and_one_without_a_bound_is_only_shown() {
        let mut report = Report::default();
        for (rows, p50) in [(10_000, 1.0), (10_000_000, 1.1)] {
            let growth = Measured::Growth { rows, lasts: Duration::ZERO };
            let figures = ["p50 ms", "p99 ms"].map(|name| Figure { name, value: p50 });
            report.add(&growth, Contestant::Zapgate, Ok(figures.to_vec()));
        }
        let idle = Figure { name: "RSS kB per socket", value: 15.0 };
        report.add(&Measured::Idle { sockets: 10_000 }, Contestant::Zapgate, Ok(vec![idle]));

        assert_eq!(
            rows(&report),
            [
                "| idle-10000: RSS kB per socket | 15.0 | – | – | ≤ 14.9 | ≤ 9 | **no** |",
                "| growth-10M: p50 ms | 1.10 | 1.00 (growth-10k) | 1.10 | ≤ 1.2 | – | yes |",
                "| growth-10M: p99 ms | 1.10 | 1.00 (growth-10k) | 1.10 | – | – | – |",
            ]
        );
    }

    #[test]
    fn every_target_names_a_scenario_and_a_contestant_of_it() {
        let all = Measured::all(1);
        let named = |key| all.iter().find(|scenario| scenario.key() == key).unwrap();
        for target in TARGETS {
            let contestants = named(target.scenario).contestants();
            assert!(contestants.contains(&Contestant::Zapgate));
            match target.against {
                Nothing => {}
                Peer(peer) => assert!(contestants.contains(&peer), "{target:?}"),
                Scenario(other) => assert!(named(other).contestants().contains(&Contestant::Zapgate)),
            }
        }
    }
}

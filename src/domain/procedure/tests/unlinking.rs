//! Unlink and remove.

use super::*;

const OLD: Version = Version(2, 3, 6);

fn version(version: Version) -> Answer {
    (Call::Version, Ok(Reply::Version(version)))
}

fn by_owner() -> End {
    End::Confirmed(Some(Note::new(reason::BY_OWNER)))
}

#[test]
fn below_2_3_7_unlinking_deletes_and_creates_again_with_a_read_between() {
    let script = [
        version(OLD),
        found(Connection::Open),
        row(Connection::Open),
        found(Connection::Open),
        done(Call::Delete),
        found(Connection::Close),
        found(Connection::Absent),
        done(Call::Create),
    ];
    let mut run = Run::new(order(Kind::Unlink), having_heard(&[(0, open())]), script);

    assert_eq!(run.end(), by_owner());
    assert_eq!(run.told, [Act::DeletedOpen]);
}

#[test]
fn from_2_3_7_on_a_logout_does_it_and_counts_when_a_read_shows_it() {
    let script = [
        version(Version::SAFE_LOGOUT),
        found(Connection::Open),
        done(Call::Logout),
        found(Connection::Open),
        found(Connection::Close),
    ];
    let mut run = Run::new(order(Kind::Unlink), having_heard(&[(0, open())]), script);

    assert_eq!(run.end(), by_owner());
}

#[test]
fn a_logout_that_says_success_and_does_nothing_is_followed_by_what_works() {
    let said = [version(Version::SAFE_LOGOUT), found(Connection::Open), done(Call::Logout)].into_iter();
    let looks = (0..16).map(|_| found(Connection::Open));
    let then = [
        row(Connection::Open),
        found(Connection::Open),
        done(Call::Delete),
        found(Connection::Absent),
        done(Call::Create),
    ];
    let mut run = Run::new(order(Kind::Unlink), having_heard(&[(0, open())]), said.chain(looks).chain(then));

    assert_eq!(run.end(), by_owner());
}

#[test]
fn a_server_that_hides_its_version_gets_what_works_on_all() {
    let script = [
        (Call::Version, Err(Failure::Down { status: 500 })),
        found(Connection::Close),
        row(Connection::Close),
        found(Connection::Close),
        done(Call::Delete),
        found(Connection::Absent),
        done(Call::Create),
    ];

    assert_eq!(Run::new(order(Kind::Unlink), State::default(), script).end(), by_owner());
}

#[test]
fn a_deletion_that_is_held_up_is_read_again_before_it_is_repeated() {
    let held = [found(Connection::Open), lost(Call::Delete)].into_iter();
    let looks = (0..7).map(|_| found(Connection::Close));
    let then = [done(Call::Delete), found(Connection::Absent)];
    let mut run = Run::new(order(Kind::Remove), State::default(), held.chain(looks).chain(then));

    assert_eq!(run.end(), End::Removed);
    let deletes: Vec<i64> = run.calls.iter().filter(|(call, _)| *call == Call::Delete).map(|(_, at)| *at).collect();
    assert_eq!(deletes, [0, 31_000]);
}

#[test]
fn what_is_not_there_is_removed_without_a_call() {
    assert_eq!(Run::new(order(Kind::Remove), State::default(), [found(Connection::Absent)]).end(), End::Removed);
}

#[test]
fn an_outage_puts_a_removal_off_for_ever_longer_and_gives_up_after_an_hour() {
    let end = |attempts, asked_at| {
        let order = Order { attempts, asked_at: Millis(asked_at), ..order(Kind::Remove) };
        let mut run = Run::new(order, State::default(), [(Call::Connection, Err(Failure::Down { status: 503 }))]);
        run.now = Millis(0);
        run.end()
    };
    let due = |end| match end {
        End::Later(due, _) => due.0,
        other => panic!("{other:?}"),
    };

    assert_eq!([due(end(0, 0)), due(end(1, 0)), due(end(4, 0)), due(end(9, 0))], [10_000, 20_000, 160_000, 300_000]);
    assert!(matches!(end(20, -3_600_000), End::Unconfirmed(note) if note.code == reason::EVOLUTION_UNREACHABLE));
}

#[test]
fn a_removal_that_met_an_open_breaker_goes_on_when_that_closes_however_often_it_was_tried() {
    let open = Failure::BreakerOpen { until: Millis(7_000) };
    let order = Order { attempts: 9, ..order(Kind::Remove) };
    let mut run = Run::new(order, State::default(), [(Call::Connection, Err(open))]);

    assert!(matches!(run.end(), End::Later(Millis(7_000), Some(_))));
}

#[test]
fn a_wrong_key_ends_a_removal_at_once_with_what_to_do() {
    let mut run = Run::new(order(Kind::Remove), State::default(), [(Call::Connection, Err(Failure::KeyRefused))]);

    assert!(matches!(run.end(), End::Unconfirmed(note) if note.code == reason::EVOLUTION_REFUSED));
}

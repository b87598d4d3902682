//! A disk that takes nothing more, and then does again. A limit on the size of files stands in for it, since it can be
//! set and lifted around a running process without being root: writing beyond it fails as on a failing disk.

use std::ffi::OsString;
use std::process::Command;

use crate::process::{Process, Site, large_message, message};

/// 8 MiB in the shell's units of 512 bytes.
const LIMIT: &str = "16384";

/// The program, which can't write files beyond the limit; it is told by an error, not by a signal.
fn limited() -> Vec<OsString> {
    let script = format!("trap '' XFSZ; ulimit -S -f {LIMIT}; exec \"$0\"");
    ["sh", "-c", &script].map(OsString::from).to_vec()
}

fn lift_limit(process: &Process) {
    let done = Command::new("prlimit").args(["--pid", &process.id().to_string(), "--fsize=unlimited"]).status();
    assert!(done.expect("prlimit of util-linux is there").success());
}

#[actix_web::test]
async fn a_disk_that_was_full_is_written_to_again_once_it_has_room() {
    let site = Site::new();
    let server = site.start_under(&limited()).await;
    server.user("ana", None).await;

    let mut last = 200;
    for nth in 0..40 {
        last = server.evolution_posts("ana", &large_message("ana", &format!("BIG{nth}"), 1 << 20)).await.status;
        if last != 200 {
            break;
        }
    }
    lift_limit(&server);
    let after = server.evolution_posts("ana", &message("ana", "AFTER")).await;
    let again = server.evolution_posts("ana", &large_message("ana", "BIG0", 1 << 20)).await;

    assert_eq!(last, 503, "the limit was reached");
    assert_eq!((after.status, after.verdict()), (200, "stored"), "{}", after.json);
    assert_eq!(again.verdict(), "duplicate", "{}", again.json);
}

//! What the operating system is told about the connections it accepts for us.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Gives up a connection whose peer has taken nothing for this long, though something is on its way to it. A peer that
/// is alive but reads nothing answers the system's probes for ever, and what it does not take (megabytes, in the
/// system's buffers) can't be closed by an orderly end, which would only queue behind.
///
/// Accepted connections inherit it from `listener`. Where the system has no such limit (outside Linux) nothing changes.
///
/// # Errors
/// When the system refuses.
pub fn give_up_stalled(listener: &TcpListener, after: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(listener, u32::try_from(after.as_millis()).unwrap_or(u32::MAX))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (listener, after);
    Ok(())
}

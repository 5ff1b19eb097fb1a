//! A `TMPDIR` on a small file system. The mount belongs to one process and its children, and is gone with them.

/// A program for `Xtask::within`: it makes a `TMPDIR` of `size` (`1m`) and runs the shell commands `then` in it,
/// with `xtask` and its arguments as `"$@"`. The commands may not contain a single quote.
pub(crate) fn small_tmp(size: &str, then: &str) -> String {
    // Only root may mount; any other user becomes root in a user namespace.
    let user = "$([ \"$(id -u)\" = 0 ] || echo --user --map-root-user)";
    format!(
        "unshare {user} --mount sh -c 'mount -t tmpfs -o size={size} tmpfs \"$TMPDIR\" && {{ {then}; }}' sh"
    )
}

//! A `TMPDIR` on a small file system: the mount is of one process and its children alone, and gone with them.

/// What `xtask` runs within, see `Xtask::within`: a `TMPDIR` of `size` (`1m`), in which the shell commands `then` are run,
/// with `xtask` and its arguments as `"$@"`. They may hold no single quote.
pub(crate) fn small_tmp(size: &str, then: &str) -> String {
    // Only root may mount; any other user becomes root in a user namespace.
    let user = "$([ \"$(id -u)\" = 0 ] || echo --user --map-root-user)";
    format!(
        "unshare {user} --mount sh -c 'mount -t tmpfs -o size={size} tmpfs \"$TMPDIR\" && {{ {then}; }}' sh"
    )
}

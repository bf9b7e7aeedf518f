//! The files that workers read again when they change.

use ngx_safe::cycle::Cycle;
use ngx_safe::log::Log;

use crate::S3Resign;
use crate::log::log_warn;
use crate::runtime::Runtime;

/// Warns in the master of those that workers may not read, which would say so only later, and go on with what the
/// master has read.
pub(crate) fn warn_of_unreadable(cycle: Cycle<'_, S3Resign>, main: &Runtime, log: Option<Log<'_>>) {
    let Some(user) = cycle.worker_user() else {
        return;
    };
    let clients = main.client_files.borrow();
    let clients = clients
        .iter()
        .map(|file| ("s3_client_file", file.path().to_owned()));
    for (what, path) in clients.chain(main.providers.files()) {
        if user.is_denied(&path) {
            log_warn!(
                log,
                "\"{what}\": \"{}\" cannot be read by \"{}\", as whom workers run, and read it again: make it \
                 readable for that user, and its folders",
                path.display(),
                user.name()
            );
        }
    }
}

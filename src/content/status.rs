//! `s3_status`: the page that shows the state of everything.

use std::rc::Rc;

use client_files::ClientFile;
use metrics::{ClientFileRow, Format, POLICY};
use ngx_safe::phase::ContentHandler;
use ngx_safe::request::Request;
use ngx_safe::response::Response;
use ngx_safe::{BAD_REQUEST, INTERNAL_SERVER_ERROR, Status, nginx_version, now};

use crate::context::OwnRequest;
use crate::log::log_error;

pub(crate) struct StatusPage;

fn row(file: &Rc<ClientFile>) -> ClientFileRow {
    let state = file.state();
    ClientFileRow {
        path: file.path().display().to_string(),
        clients: state.clients,
        loads: state.loads,
        loaded: state.loaded,
        modified: state.modified,
        fault: state.fault,
    }
}

impl ContentHandler for StatusPage {
    fn answer(request: Request<'_>) -> Result<Response, Status> {
        let format = Format::of(request.uri_and_args().1).ok_or(BAD_REQUEST)?;
        let main = request.main_conf();
        let health = main.checks().map(|checks| checks.snapshot(request));
        let mut snapshot = main
            .metrics()
            .and_then(|metrics| {
                metrics.snapshot(health.unwrap_or_default(), nginx_version(), now())
            })
            .ok_or(INTERNAL_SERVER_ERROR)?;
        snapshot.keys = main.providers.rows(&main.origins.names());
        snapshot.key_sets = main.key_sets.rows();
        snapshot.client_files = main.client_files.borrow().iter().map(row).collect();
        let body = format.render(&snapshot).map_err(|why| {
            log_error!(request.log(), "\"s3_status\" cannot be shown: {why}");
            INTERNAL_SERVER_ERROR
        })?;
        Ok(Response {
            status: 200,
            content_type: format.content_type(),
            body: body.into_bytes(),
            headers: vec![
                (c"Cache-Control", b"no-store".to_vec()),
                (c"Content-Security-Policy", POLICY.into()),
                (c"X-Content-Type-Options", b"nosniff".to_vec()),
                (c"Referrer-Policy", b"no-referrer".to_vec()),
            ],
        })
    }
}

//! The body goes out to the peer in frames of its origin.

use ngx_safe::output::{Misframed, Output, OutputData, OutputFramer, OutputStep};
use ngx_safe::request::Request;
use sigv4::{FrameStep, MAX_FRAME, Upload};

use crate::context::{OriginFramer, OwnRequest};
use crate::log::log_error;

impl OutputFramer for OriginFramer {
    type Body = Upload;

    const MAX_FRAME: usize = MAX_FRAME;

    fn with_output<'r, T>(
        request: Request<'r>,
        send: impl FnOnce(&mut Output<'r, OriginFramer>, &mut Upload) -> T,
    ) -> Option<T> {
        let context = request.context()?;
        let (mut output, mut upload) = (context.output.borrow_mut(), context.upload.borrow_mut());
        Some(send(output.as_deref_mut()?, upload.as_deref_mut()?))
    }

    fn with_place<'r, T>(
        request: Request<'r>,
        set: impl FnOnce(&mut Option<Box<Output<'r, OriginFramer>>>) -> T,
    ) -> Option<T> {
        Some(set(&mut request.context()?.output.borrow_mut()))
    }

    fn is_complete(upload: &Upload) -> bool {
        upload.is_complete()
    }

    fn step(
        &mut self,
        upload: &mut Upload,
        input: &[u8],
        gathered: &[u8],
    ) -> Result<OutputStep, Misframed> {
        let step = self.0.step(upload, input, gathered);
        Ok(match step.map_err(|_| Misframed)? {
            FrameStep::Wait => OutputStep::Wait,
            FrameStep::Gather(count) => OutputStep::Gather(count),
            FrameStep::SendInput(count) => OutputStep::Send(OutputData::Input(count)),
            FrameStep::SendGathered => OutputStep::Send(OutputData::Gathered),
        })
    }

    fn frame(&self) -> &[u8] {
        self.0.frame()
    }

    fn end(&self) -> &[u8] {
        self.0.end()
    }

    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn failed(request: Request<'_>) {
        log_error!(request.log(), "a body could not be framed: not forwarded");
    }
}

//! `asyncExportData`: a file is ready; only the company is of use, the link stays in the payload.

use super::{Event, Kind, Object, base};

pub(super) fn parse(kind: Kind, item: Object) -> Event {
    base(kind, item)
}

//! A row-map that calls out: the component imports sockets, which no step is given.

use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Params {}

struct Sockets;

impl RowMap for Sockets {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Calls out.")
            .input("rows", "Any table.")
            .output("rows", "The same rows.")
    }

    fn open(_params: Params, _side: Inputs) -> Result<Self> {
        let answer = std::net::TcpStream::connect("127.0.0.1:80");
        answer
            .map(|_| Self)
            .map_err(|error| Error::new("no-network", error.to_string()))
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        Ok(vec![Output::new("rows", rows.duplicate()?)])
    }
}

pinion_sdk::export!(Sockets: RowMap);

//! Generates the client from the protos, with the protoc on the PATH (or in PROTOC).

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../../protos");
    let protos = ["container_service", "exec_service", "image_service"]
        .map(|name| root.join(format!("moorage/v1/{name}.proto")));
    tonic_prost_build::configure().build_server(false).compile_protos(&protos, &[root.to_path_buf()])?;
    Ok(())
}

//! The committed code is what the `.proto` says. With `TWINLINK_REGENERATE=1` it is written anew.

#![allow(clippy::unwrap_used, reason = "tests and their helpers fail by panic")]

use prost::Message;
use std::path::{Path, PathBuf};

const FILE: &str = "twinlink/v1/connector.proto";

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = generate(root);
    let committed = root.join("src/gen");
    for (name, content) in fresh {
        let path = committed.join(name);
        if std::env::var_os("TWINLINK_REGENERATE").is_some() {
            std::fs::write(&path, &content).unwrap();
        }
        assert!(
            std::fs::read(&path).unwrap_or_default() == content,
            "{} is not what {FILE} generates: run TWINLINK_REGENERATE=1 cargo test -p twinlink-proto",
            path.display()
        );
    }
}

#[test]
fn descriptors_name_the_service() {
    let set = prost_types::FileDescriptorSet::decode(twinlink_proto::FILE_DESCRIPTOR_SET).unwrap();
    let file = set.file.iter().find(|file| file.name() == FILE).unwrap();
    assert_eq!(file.package(), "twinlink.v1");
    assert_eq!(file.service.first().unwrap().name(), "Connector");
}

fn generate(root: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let mut compiler = protox::Compiler::new([root.join("proto")]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(PathBuf::from(FILE)).unwrap();
    let described = compiler.file_descriptor_set();
    // Comments go into the code; the descriptors for reflection do without.
    let plain = compiler
        .include_source_info(false)
        .encode_file_descriptor_set();

    let out = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .build_transport(false)
        .codec_path("crate::Codec")
        .bytes(".twinlink.v1.ImportRequest.chunk")
        .out_dir(out.path())
        .compile_fds(described)
        .unwrap();
    let code = std::fs::read(out.path().join("twinlink.v1.rs")).unwrap();
    vec![("twinlink.v1.rs", code), ("twinlink.v1.bin", plain)]
}

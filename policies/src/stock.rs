//! The policy a new connector starts with.

use oxrdf::NamedNode;
use twinlink_vocab::{dcterms, odrl, tl};

/// A policy, in Turtle, by which a participant's own stewards may read and change all of its dataset.
///
/// Nothing else is granted to anyone until someone publishes more.
pub fn owner_policy(participant: &NamedNode, dataset: &NamedNode) -> String {
    let uid = dataset.as_str();
    let separator = if uid.contains('#') { "-" } else { "#" };
    format!(
        "@prefix odrl: <{odrl}> .\n\
         @prefix dcterms: <{dcterms}> .\n\
         @prefix tl: <{tl}> .\n\
         \n\
         <{uid}{separator}owner-policy> a odrl:Set ;\n    \
             dcterms:title \"our own stewards may read and change everything\"@en ;\n    \
             odrl:profile {profile} ;\n    \
             odrl:permission [\n        \
                 odrl:target {dataset} ;\n        \
                 odrl:assignee {participant} ;\n        \
                 odrl:action odrl:use ;\n        \
                 odrl:constraint [\n            \
                     odrl:leftOperand tl:role ;\n            \
                     odrl:operator odrl:eq ;\n            \
                     odrl:rightOperand tl:Steward\n        \
                 ]\n    \
             ] .\n",
        odrl = odrl::NAMESPACE,
        dcterms = dcterms::NAMESPACE,
        tl = tl::NAMESPACE,
        profile = tl::PROFILE,
    )
}

//! A report as RDF: <https://w3id.org/force/compliance-report>.

use super::rulebook::{Kind, Right, Test};
use super::statement::{
    ConstraintReport, DutyReport, PolicyReport, Premise, PremiseKind, Report, RuleReport,
};
use crate::Truth;
use crate::compare::Operand;
use oxrdf::vocab::rdf;
use oxrdf::{BlankNode, Graph, NamedNodeRef, NamedOrBlankNode, TermRef, TripleRef};
use twinlink_vocab::{compliance_report as cr, dcterms};

impl Report<'_> {
    /// The report as a graph: one `PolicyReport` for each policy, with a report for each rule, and for each of those its
    /// premises and conditions. The reports are blank nodes; a condition that the state of the world reported on is that
    /// report. What is not known has the state `Unknown`.
    pub fn to_graph(&self) -> Graph {
        let mut writer = Writer(Graph::new());
        for policy in &self.policies {
            writer.policy(policy, self.request, self.created);
        }
        writer.0
    }
}

struct Writer(Graph);

impl Writer {
    fn policy(
        &mut self,
        report: &PolicyReport<'_>,
        request: &NamedOrBlankNode,
        created: Option<&Operand>,
    ) {
        let node = self.node(cr::POLICY_REPORT);
        if let Some(created) = created {
            self.say(&node, dcterms::CREATED, created.term.as_ref());
        }
        self.say(&node, cr::POLICY, report.policy.uid.as_ref());
        self.say(&node, cr::POLICY_REQUEST, request.as_ref());
        for rule in &report.rules {
            let rule = self.rule(rule);
            self.say(&node, cr::RULE_REPORT, rule.as_ref());
        }
    }

    fn rule(&mut self, report: &RuleReport<'_>) -> BlankNode {
        let node = self.node(match report.rule.kind {
            Kind::Permission => cr::PERMISSION_REPORT,
            Kind::Prohibition => cr::PROHIBITION_REPORT,
            Kind::Duty => cr::DUTY_REPORT,
        });
        self.say(&node, cr::RULE, report.rule.node.as_ref());
        if let Some(asked) = report.asked {
            self.say(&node, cr::ATTEMPT_STATE, cr::ATTEMPTED);
            self.say(&node, cr::RULE_REQUEST, asked.as_ref());
        }
        let state = if report.is_active {
            cr::ACTIVE
        } else {
            cr::INACTIVE
        };
        self.say(&node, cr::ACTIVATION_STATE, state);
        if let Some((performance, deontic)) = report.deontic {
            self.say(&node, cr::PERFORMANCE_STATE, performance.name());
            self.say(&node, cr::DEONTIC_STATE, deontic.name());
        }
        for premise in &report.premises {
            self.premise(&node, premise);
        }
        for condition in &report.conditions {
            self.condition(&node, condition);
        }
        node
    }

    fn premise(&mut self, rule: &BlankNode, premise: &Premise<'_>) {
        let class = match premise.kind {
            PremiseKind::Party => cr::PARTY_REPORT,
            PremiseKind::Target => cr::TARGET_REPORT,
            PremiseKind::Action => cr::ACTION_REPORT,
            PremiseKind::Constraint => return self.constraints(rule, &premise.parts),
        };
        let node = self.node(class);
        self.say(rule, cr::PREMISE_REPORT, node.as_ref());
        self.say(&node, cr::SATISFACTION_STATE, satisfaction(premise.holds));
        self.constraints(&node, &premise.parts);
    }

    fn constraints(&mut self, above: &BlankNode, reports: &[ConstraintReport<'_>]) {
        for report in reports {
            let node = self.constraint(report);
            self.say(above, cr::PREMISE_REPORT, node.as_ref());
        }
    }

    fn constraint(&mut self, report: &ConstraintReport<'_>) -> BlankNode {
        let node = self.node(cr::CONSTRAINT_REPORT);
        self.say(&node, cr::CONSTRAINT, report.constraint.node.as_ref());
        self.say(&node, cr::SATISFACTION_STATE, satisfaction(report.holds));
        match &report.constraint.test {
            Test::Combine(logic, _) => {
                self.say(&node, cr::CONSTRAINT_LOGICAL_OPERAND, logic.name());
            }
            Test::Compare {
                operator, right, ..
            } => {
                for left in report.left.iter() {
                    self.say(&node, cr::CONSTRAINT_LEFT_OPERAND, left.term.as_ref());
                }
                // What was compared with what is told where it holds.
                if report.holds == Truth::True {
                    self.say(&node, cr::CONSTRAINT_OPERATOR, operator.name());
                    self.right(&node, right);
                }
            }
        }
        self.constraints(&node, &report.parts);
        node
    }

    fn right(&mut self, node: &BlankNode, right: &Right) {
        match right {
            Right::Values(values) => {
                for value in values {
                    self.say(node, cr::CONSTRAINT_RIGHT_OPERAND, value.term.as_ref());
                }
            }
            Right::Reference(reference, _) => {
                self.say(node, cr::CONSTRAINT_RIGHT_OPERAND, reference.as_ref());
            }
        }
    }

    /// What the state reported stands as it is; what we found out ourselves is a report of ours.
    fn condition(&mut self, rule: &BlankNode, duty: &DutyReport<'_>) {
        for evidence in &duty.evidence {
            self.say(rule, cr::CONDITION_REPORT, evidence.as_ref());
        }
        if duty.evidence.is_empty() {
            let node = self.node(cr::DUTY_REPORT);
            self.say(rule, cr::CONDITION_REPORT, node.as_ref());
            self.say(&node, cr::RULE, duty.rule.node.as_ref());
            let due = if duty.is_due {
                cr::ACTIVE
            } else {
                cr::INACTIVE
            };
            self.say(&node, cr::ACTIVATION_STATE, due);
            self.say(&node, cr::PERFORMANCE_STATE, duty.performance.name());
            self.say(&node, cr::DEONTIC_STATE, duty.deontic.name());
        }
        for consequence in &duty.consequences {
            self.condition(rule, consequence);
        }
    }

    fn node(&mut self, class: NamedNodeRef<'_>) -> BlankNode {
        let node = BlankNode::default();
        self.say(&node, rdf::TYPE, class);
        node
    }

    fn say<'a>(
        &mut self,
        node: &'a BlankNode,
        property: NamedNodeRef<'a>,
        value: impl Into<TermRef<'a>>,
    ) {
        self.0.insert(TripleRef::new(node, property, value));
    }
}

fn satisfaction(holds: Truth) -> NamedNodeRef<'static> {
    match holds {
        Truth::True => cr::SATISFIED,
        Truth::False => cr::UNSATISFIED,
        Truth::Unknown => cr::UNKNOWN,
    }
}

"""Prometheus' alerting rules for the checks and for the retry service, made from the settings."""

from boomerang.monitor.rules.making import rules
from boomerang.monitor.rules.rule import Group, Rule, matchers
from boomerang.monitor.rules.text import to_yaml

__all__ = ["Group", "Rule", "matchers", "rules", "to_yaml"]

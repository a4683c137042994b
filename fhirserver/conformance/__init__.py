"""Runs FHIR R4 TestScripts against any server, and tells how it did. Knows nothing of this server's other rooms."""

from fhirserver.conformance.campaign import Campaign
from fhirserver.conformance.result import ScriptResult, Step, Test
from fhirserver.conformance.script import Script, ScriptError, collect

__all__ = ["Campaign", "Script", "ScriptError", "ScriptResult", "Step", "Test", "collect"]

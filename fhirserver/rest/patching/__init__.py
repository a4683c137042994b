"""Patches as pure functions: the resource before and the patch give the resource after, or BadRequest (the patch is no
patch) or Unprocessable (it does not apply). The resource before is not changed."""

from fhirserver.rest.patching.fhirpath_patch import fhirpath_patch
from fhirserver.rest.patching.json_patch import json_patch
from fhirserver.rest.patching.xml_patch import xml_patch

__all__ = ["fhirpath_patch", "json_patch", "xml_patch"]

"""What a person enters of the own health: values of a form to FHIR resources and back, measures and their limits.

Pure functions; who may write, and the mark on what was written, are the API's (`rest.origin`). The tables beside this
module hold sections, fields, choices and measures, each with its French and English name; what is stored is French.
"""

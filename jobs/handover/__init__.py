"""Hand-over to care systems: the list goes out as CSV or FHIR R4, what became of the calls comes back as contacts."""

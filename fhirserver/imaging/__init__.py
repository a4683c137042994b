"""Medical images: what an ImagingStudy names, and the PACS that holds it, spoken to by DICOMweb."""

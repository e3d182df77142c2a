"""Reports: pictures and pages made from results."""

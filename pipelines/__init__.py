"""The flows of lockgate and what they call."""

METAFLOW_PACKAGE_POLICY = "include"  # travel with the code package under this name

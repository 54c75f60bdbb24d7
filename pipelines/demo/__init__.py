"""The demo scenario: our own headlines about 2012-05 to 2013-01 beside real daily bars."""

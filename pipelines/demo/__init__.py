"""The demo scenario: our own headlines about 2012-05 to 2013-02 beside real daily bars."""

"""A CRM that is as small as one can be, and all that it takes to sync it: the example of the documentation."""

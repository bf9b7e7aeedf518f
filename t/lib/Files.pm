package Files;

# Whole files, for tests in which nothing goes on without them.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(slurp write_file);

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return scalar readline $in;
}

sub write_file {
    my ($path, $content) = @_;
    open my $out, '>', $path or die "$path: $!";
    print $out $content;
    close $out or die "$path: $!";
}

1;

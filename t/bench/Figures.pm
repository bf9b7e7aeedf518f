package Figures;

# What rounds of measurements say: medians with their 95 % intervals, held to limits.

use strict;
use warnings;

use Exporter 'import';
use POSIX qw(ceil floor);

our @EXPORT = qw(beyond median ratios verdict with_interval);

# Whether the median of values holds a limit, and a line that says so.
sub verdict {
    my ($what, $format, $values, $limit, $holds) = @_;
    my ($median, @interval) = with_interval(@$values);
    my $passed = $holds->($median);
    return [$passed, sprintf "%s  %s: median $format ($format to $format), %s", $passed ? 'PASS' : 'FAIL',
        $what, $median, @interval, $limit];
}

# A verdict on what noise can hide: it fails where all of the interval is beyond the limit.
sub beyond {
    my ($what, $format, $values, $limit, $unit) = @_;
    my $holds = sub { (with_interval(@$values))[1] <= $limit };
    return verdict($what, $format, $values, "not surely more than $limit $unit", $holds);
}

# The median of values and its 95 % interval: between two of them, whatever their
# distribution (by the normal approximation of the binomial).
sub with_interval {
    my @sorted = sort { $a <=> $b } @_;
    my $half = 0.98 * sqrt @sorted;
    my ($low, $high) = (floor(@sorted / 2 - $half), ceil(@sorted / 2 + $half));
    return (median(@sorted), @sorted[$low < 0 ? 0 : $low, $high > $#sorted ? $#sorted : $high]);
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# Of the values of two lists, in pairs.
sub ratios {
    my ($own, $plain) = @_;
    return map { $own->[$_] / $plain->[$_] } 0 .. $#$own;
}

1;
